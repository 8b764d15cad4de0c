/* Which runtime the shim finds where the environment names none. Run with the shim preloaded. */
#include <dlfcn.h>
#include <link.h>

#include "harness.h"
#include "hip_api.h"

static void *open_copy(const char *name, int flags) {
  char path[4096];
  snprintf(path, sizeof path, COPIES "/%s", name);
  return dlopen(path, RTLD_LAZY | flags);
}

static uint64_t calls_of(const char *copy) {
  void *library = open_copy(copy, RTLD_NOLOAD);
  uint64_t (*calls)(const char *) =
      library != NULL ? (uint64_t (*)(const char *))dlsym(library, "fake_calls") : NULL;
  return calls != NULL ? calls("hipGetDeviceCount") : 0;
}

static int count_runtime(struct dl_phdr_info *info, size_t size, void *count) {
  (void)size;
  *(int *)count +=
      strstr(info->dlpi_name, "libamdhip64") != NULL && strstr(info->dlpi_name, "gpu/hip/") == NULL;
  return 0;
}

static int runtimes(void) {
  int count = 0;
  dl_iterate_phdr(count_runtime, &count);
  return count;
}

static void where_the_program_would_look(void) {
  int devices = 0;
  CHECK(runtimes() == 0);
  CHECK(hipGetDeviceCount(&devices) == 0 && devices == 1);
  CHECK(calls_of("system/libamdhip64.so.6") == 1 && runtimes() == 1);
}

static void the_one_that_is_there(void) {
  int devices = 0;
  CHECK(open_copy("wheel/libamdhip64.so", 0) != NULL);
  CHECK(hipGetDeviceCount(&devices) == 0 && devices == 1);
  CHECK(calls_of("wheel/libamdhip64.so") == 1 && runtimes() == 1);
}

static void nowhere(void) {
  int devices = 0;
  setenv("GIVEWAY_HIP_LIBRARY", getenv("LD_PRELOAD"), 1); /* the shim itself */
  CHECK(freopen("/dev/null", "w", stderr) != NULL);       /* one line is said */
  CHECK(hipGetDeviceCount(&devices) == 100 && runtimes() == 0);
}

static const struct test_case cases[] = {
    {"where the program would look", where_the_program_would_look},
    {"the one that is there", the_one_that_is_there},
    {"nowhere", nowhere},
};
RUN_CASES(cases, 240)
