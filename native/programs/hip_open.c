/* A program that is linked to a real runtime and also opens the runtime NAME: hip_open CODE-OBJECT
 * [NAME]. Launches 3 kernels through the first and 4 through the second, and prints the runtimes in
 * the process. */
#include <dlfcn.h>

#include "hip_kernels.h"

#define GET(name) (__typeof__(name) *)find(library, #name)

static void *find(void *library, const char *name) {
  void *function = dlsym(library, name);
  MUST(function == NULL);
  return function;
}

static void launch_by(void *library) {
  hipModule_t module;
  hipFunction_t function;
  MUST((GET(hipModuleLoadData))(&module, code));
  MUST((GET(hipModuleGetFunction))(&function, module, "by_handle"));
  __typeof__(hipModuleLaunchKernel) *launch = GET(hipModuleLaunchKernel);
  for (int i = 0; i < 4; i++) {
    MUST(launch(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
  }
  MUST((GET(hipDeviceSynchronize))());
}

static void print_runtimes(void) {
  char line[4096];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    if (strstr(line, "libamdhip64") != NULL && strstr(line, " r-xp ") != NULL) {
      fputs(strchr(line, '/'), stdout);
    }
  }
}

int main(int count, char **arguments) {
  MUST(count < 2);
  read_code(arguments[1]);
  hipFunction_t function = module_kernel("by_handle");
  for (int i = 0; i < 3; i++) {
    MUST(hipModuleLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
  }
  MUST(hipDeviceSynchronize());
  if (count > 2) {
    void *library = dlopen(arguments[2], RTLD_LAZY);
    if (library == NULL) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    launch_by(library);
  }
  print_runtimes();
  return 0;
}
