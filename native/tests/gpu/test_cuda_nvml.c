/* NVML shows the GPU that the program may use. Run with the shim over the fake driver, and with the
 * fake NVML where the loader finds it. */
#include "cuda_harness.h"

#define GIB (UINT64_C(1) << 30)

struct first {
  uint64_t total, free, used;
};
struct second {
  unsigned version;
  uint64_t total, reserved, free, used;
};

static void *nvml, *gpu;

/* As pynvml does with ctypes. */
static void *function(const char *name) {
  void *found = dlsym(nvml, name);
  CHECK(found != NULL);
  return found;
}

static void open_nvml(void) {
  nvml = dlopen("libnvidia-ml.so.1", RTLD_LAZY);
  CHECK(nvml != NULL);
  CHECK(((int (*)(void))function("nvmlInit_v2"))() == 0);
  CHECK(((int (*)(unsigned, void **))function("nvmlDeviceGetHandleByIndex_v2"))(0, &gpu) == 0);
}

static struct first first(void) {
  struct first memory;
  CHECK(((int (*)(void *, struct first *))function("nvmlDeviceGetMemoryInfo"))(gpu, &memory) == 0);
  return memory;
}

static struct second second(void) {
  struct second memory = {.version = 7};
  int (*ask)(void *, struct second *) =
      (int (*)(void *, struct second *))function("nvmlDeviceGetMemoryInfo_v2");
  CHECK(ask(gpu, &memory) == 0 && memory.version == 7);
  return memory;
}

static void without_a_limit_all_is_as_it_is(void) {
  open_nvml();
  CHECK(first().total == 17 * GIB && first().free == 13 * GIB && first().used == 4 * GIB);
  CHECK(second().total == 17 * GIB && second().reserved == 1 * GIB && second().used == 3 * GIB);
}

static void a_limit_is_the_size_of_the_gpu(void) {
  setenv("GIVEWAY_MEMORY", "8589934592", 1);
  open_nvml();
  CHECK(first().total == 8 * GIB && first().free == 8 * GIB && first().used == 0);
  start_cuda();
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, 3 * GIB) == 0);
  CHECK(first().total == 8 * GIB && first().free == 5 * GIB && first().used == 3 * GIB);
  CHECK(second().total == 8 * GIB && second().free == 5 * GIB && second().used == 3 * GIB);
  CHECK(second().reserved == 0);
}

/* Half of what the driver gives to programs, which is less than NVML has. */
static void a_part_of_the_gpu(void) {
  setenv("GIVEWAY_MEMORY", "50%", 1);
  start_cuda();
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, 1 * GIB) == 0);
  open_nvml();
  CHECK(first().total == 8 * GIB && first().free == 7 * GIB);
}

static void others_see_what_a_reservation_leaves(void) {
  setenv("GIVEWAY_RESERVE", "12884901888", 1);
  gw_memory_begin(rival(), 16 * GIB, 0);
  open_nvml();
  CHECK(first().total == 5 * GIB && first().free == 1 * GIB);
}

/* As a library that is linked with NVML finds the function, and nobody has looked it up. */
static void a_library_that_is_linked_with_it(void) {
  setenv("GIVEWAY_MEMORY", "8589934592", 1);
  open_nvml();
  int (*ask)(void *, struct first *) =
      (int (*)(void *, struct first *))dlsym(RTLD_DEFAULT, "nvmlDeviceGetMemoryInfo");
  struct first memory;
  CHECK(ask != NULL && ask(gpu, &memory) == 0 && memory.total == 8 * GIB);
}

static void without_nvml_there_is_an_error(void) {
  struct first memory;
  int (*ask)(void *, struct first *) =
      (int (*)(void *, struct first *))dlsym(RTLD_DEFAULT, "nvmlDeviceGetMemoryInfo");
  CHECK(ask != NULL && ask(NULL, &memory) == 13); /* no such function */
}

static void other_names_are_the_loaders(void) {
  open_nvml();
  Dl_info info;
  CHECK(dlsym(nvml, "nvmlDeviceGetMemoryInfo_v9") == NULL);
  CHECK(dladdr(function("nvmlDeviceGetUUID"), &info) != 0);
  CHECK(strstr(info.dli_fname, "libnvidia-ml") != NULL);
  void *other = dlopen("libm.so.6", RTLD_LAZY);
  CHECK(other != NULL && dlsym(other, "nvmlDeviceGetMemoryInfo") == NULL);
  CHECK(dlsym(RTLD_DEFAULT, "getpid") == (void *)getpid && dlsym(RTLD_NEXT, "getpid") != NULL);
}

static const struct test_case cases[] = {
    {"without a limit all is as it is", without_a_limit_all_is_as_it_is},
    {"a limit is the size of the GPU", a_limit_is_the_size_of_the_gpu},
    {"a part of the GPU", a_part_of_the_gpu},
    {"others see what a reservation leaves", others_see_what_a_reservation_leaves},
    {"a library that is linked with it", a_library_that_is_linked_with_it},
    {"without NVML there is an error", without_nvml_there_is_an_error},
    {"other names are the loader's", other_names_are_the_loaders},
};
RUN_CASES(cases, 240)
