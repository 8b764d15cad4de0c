/* Asks the runtime for every hooked function in every way there is, and names those that come back
 * from the runtime itself: calls through these would escape the gate. Run with the shim preloaded
 * over the fake runtime or a real one. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "hip_api.h"

static int found, escaped;

static void look_at(const char *how, const char *name, int result, void *function) {
  Dl_info info;
  if (result != 0 || function == NULL) {
    return;
  }
  found++;
  /* The shims lie in this folder; no runtime does. */
  if (dladdr(function, &info) == 0 || strstr(info.dli_fname, "gpu/hip/lib") == NULL) {
    escaped++;
    printf("escapes: %s by %s: %s in %s\n", name, how,
           info.dli_sname != NULL ? info.dli_sname : "?", info.dli_fname);
  }
}

static void look_up(void *shim, const char *name) {
  void *function = dlsym(shim, name);
  look_at("dlsym", name, 0, function);
#if GENERATION >= 6
  for (uint64_t flags = 0; flags <= 2; flags++) {
    function = NULL;
    int result = hipGetProcAddress(name, &function, 600, flags, NULL);
    look_at("hipGetProcAddress", name, result, function);
  }
#endif
#if GENERATION >= 7
  for (uint64_t flags = 0; flags <= 2; flags++) {
    function = NULL;
    int result = hipGetDriverEntryPoint(name, &function, flags, NULL);
    look_at("hipGetDriverEntryPoint", name, result, function);
    function = NULL;
    result = hipGetDriverEntryPoint_spt(name, &function, flags, NULL);
    look_at("hipGetDriverEntryPoint_spt", name, result, function);
  }
#endif
}

/* Which of a function's variants comes back matters as well. */
static int variants(void) {
  int wrong = 0;
#if GENERATION >= 6
  void *function = NULL;
  wrong += hipGetProcAddress("hipLaunchKernel", &function, 600, 0, NULL) != 0 ||
           function != (void *)hipLaunchKernel;
  wrong += hipGetProcAddress("hipLaunchKernel", &function, 600, 2, NULL) != 0 ||
           function != (void *)hipLaunchKernel; /* the runtimes take no notice of the flags */
#endif
#if GENERATION >= 7
  wrong += hipGetDriverEntryPoint("hipLaunchKernel", &function, 2, NULL) != 0 ||
           function != (void *)hipLaunchKernel_spt;
  wrong += hipGetDriverEntryPoint_spt("hipLaunchKernel", &function, 0, NULL) != 0 ||
           function != (void *)hipLaunchKernel_spt;
  wrong += hipGetDriverEntryPoint("hipGetProcAddress", &function, 0, NULL) != 0 ||
           function != (void *)hipGetProcAddress;
#endif
  return wrong;
}

int main(void) {
  FILE *list = fopen(HOOKS, "r");
  char soname[64], line[512], name[256];
  snprintf(soname, sizeof soname, "libamdhip64.so.%d", GENERATION);
  void *shim = dlopen(soname, RTLD_LAZY);
  while (list != NULL && shim != NULL && fgets(line, sizeof line, list) != NULL) {
    if (line[0] != '#' && sscanf(line, "%255s", name) == 1) {
      look_up(shim, name);
    }
  }
  int wrong = variants();
  printf("found %d, escaped %d, wrong %d\n", found, escaped, wrong);
  return found == 0 || escaped != 0 || wrong != 0;
}
