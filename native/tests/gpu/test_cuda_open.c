/* A program that opens the driver by its path, or without the number of its SONAME. The folder
 * fakes/ has a driver of both names. */
#include <limits.h>

#include "cuda_harness.h"

static const char *path_of(const char *name) {
  static char path[PATH_MAX];
  snprintf(path, sizeof path, DRIVERS "/%s", name);
  return path;
}

static bool is_loaded(const char *path) {
  char line[PATH_MAX + 128];
  FILE *maps = fopen("/proc/self/maps", "r");
  bool found = false;
  while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL) {
    found = strstr(line, path) != NULL;
  }
  fclose(maps);
  return found;
}

static bool is_shim(void *library) {
  Dl_info info;
  void *function = library != NULL ? dlsym(library, "cuLaunchKernel") : NULL;
  return function == (void *)cuLaunchKernel && dladdr(function, &info) != 0 &&
         strstr(info.dli_fname, "giveway-cuda") != NULL;
}

static void by_its_path(void) {
  CHECK(is_shim(dlopen(path_of("libcuda.so.1"), RTLD_NOW)));
  CHECK(is_shim(dlopen(path_of("libcuda.so"), RTLD_LAZY | RTLD_LOCAL)));
}

static void without_a_number(void) { CHECK(is_shim(dlopen("libcuda.so", RTLD_NOW))); }
static void with_its_number(void) { CHECK(is_shim(dlopen("libcuda.so.1", RTLD_NOW))); }

static void what_is_opened_is_the_driver_below(void) {
  unsetenv("GIVEWAY_CUDA_LIBRARY");
  CHECK(is_shim(dlopen(path_of("libcuda.so.1"), RTLD_NOW)));
  CHECK(!is_loaded(path_of("libcuda.so.1"))); /* the shim opens it when it is needed */
  start_cuda();
  CHECK(launch(kernel("ns_0"), NULL) == 0);
  CHECK(is_loaded(path_of("libcuda.so.1")));
}

static void a_file_that_is_not_there_stays_a_failure(void) {
  CHECK(dlopen("/no/such/libcuda.so.1", RTLD_NOW) == NULL);
  CHECK(strstr(dlerror(), "/no/such/libcuda.so.1") != NULL);
  CHECK(dlopen("libcuda.so.999", RTLD_NOW) == NULL && strstr(dlerror(), "999") != NULL);
}

static void other_libraries_are_opened_as_ever(void) {
  CHECK(dlopen(NULL, RTLD_NOW) != NULL);
  void *math = dlopen("libm.so.6", RTLD_NOW);
  CHECK(math != NULL && dlsym(math, "cos") != NULL);
  CHECK(dlopen("libcudart.so.999", RTLD_NOW) == NULL && dlerror() != NULL);
}

static const struct test_case cases[] = {
    {"by its path", by_its_path},
    {"without a number", without_a_number},
    {"with its number", with_its_number},
    {"what is opened is the driver below", what_is_opened_is_the_driver_below},
    {"a file that is not there stays a failure", a_file_that_is_not_there_stays_a_failure},
    {"other libraries are opened as ever", other_libraries_are_opened_as_ever},
};
RUN_CASES(cases, 240)
