/* What a task's row says about its memory, whichever way the program allocates, and the limit.
 * Compiled for each API: see gpu.h. */
#include "gpu.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define OUT_OF_MEMORY 2

typedef GPU(void *, CUdeviceptr) address;

/* ---- every way to allocate, in one form --------------------------------------------------------
 */

struct properties {
  int type, handle_types, location_type, location;
};
static const struct properties on_the_device = {.type = 1, .location_type = 1};
static const struct properties on_the_host = {.type = 1, .location_type = 2};

static int plain(address *memory, size_t size) {
  return GPU(hipMalloc, cuMemAlloc_v2)(memory, size);
}
static int managed(address *memory, size_t size) {
  return GPU(hipMallocManaged, cuMemAllocManaged)(memory, size, 1);
}
static int pooled(address *memory, size_t size) {
  return GPU(hipMallocAsync, cuMemAllocAsync)(memory, size, NULL);
}
static int from_pool(address *memory, size_t size) {
  return GPU(hipMallocFromPoolAsync, cuMemAllocFromPoolAsync)(memory, size, NULL, NULL);
}
static int pitched(address *memory, size_t size) {
  size_t pitch;
#ifdef GENERATION
  return hipMallocPitch(memory, &pitch, 1024, size / 1024);
#else
  return cuMemAllocPitch_v2(memory, &pitch, 1024, size / 1024, 4);
#endif
}
static int created(address *memory, size_t size) {
  return GPU(hipMemCreate, cuMemCreate)((void **)memory, size, &on_the_device, 0);
}
/* Elements of four bytes. */
struct array {
  size_t width, height, depth;
  unsigned format, channels, flags;
};
static int array_3d(address *memory, size_t size) {
  struct array of = {256, size / 4096, 4, 0x20, 1, 0};
  return GPU(hipArray3DCreate, cuArray3DCreate_v2)((void **)memory, &of);
}
static int array_2d(address *memory, size_t size) {
  struct {
    size_t width, height;
    unsigned format, channels;
  } of = {256, size / 1024, 0x20, 1};
  return GPU(hipArrayCreate, cuArrayCreate_v2)((void **)memory, &of);
}
static int mipmapped(address *memory, size_t size) {
  struct array of = {256, size / 1024, 1, 0x20, 1, 0};
  return GPU(hipMipmappedArrayCreate, cuMipmappedArrayCreate)((void **)memory, &of, 1);
}
static int free_array(address array) { return GPU(hipArrayDestroy, cuArrayDestroy)((void *)array); }
static int free_mipmapped(address array) {
  return GPU(hipMipmappedArrayDestroy, cuMipmappedArrayDestroy)((void *)array);
}
static int release(address memory) { return GPU(hipMemRelease, cuMemRelease)((void *)memory); }
static int free_plain(address memory) { return GPU(hipFree, cuMemFree_v2)(memory); }
static int free_pooled(address memory) { return GPU(hipFreeAsync, cuMemFreeAsync)(memory, NULL); }
#ifdef GENERATION
static int with_flags(address *memory, size_t size) {
  return hipExtMallocWithFlags(memory, size, 1);
}
static int spatial(address *memory, size_t size) {
  hipPitchedPtr pitched;
  int result = hipMalloc3D(&pitched, (hipExtent){1024, size / 8192, 8});
  *memory = pitched.ptr;
  return result;
}
static int array_of(address *memory, size_t size) {
  hipChannelFormatDesc of = {32, 0, 0, 0, 2};
  return hipMallocArray(memory, &of, 256, size / 1024, 0);
}
static int array_of_3d(address *memory, size_t size) {
  hipChannelFormatDesc of = {32, 0, 0, 0, 2};
  return hipMalloc3DArray(memory, &of, (hipExtent){256, size / 4096, 4}, 0);
}
static int mipmapped_of(address *memory, size_t size) {
  hipChannelFormatDesc of = {32, 0, 0, 0, 2};
  return hipMallocMipmappedArray(memory, &of, (hipExtent){256, size / 1024, 1}, 1, 0);
}
static int free_array_of(address array) { return hipFreeArray(array); }
static int free_mipmapped_of(address array) { return hipFreeMipmappedArray(array); }
static int driver_pitched(address *memory, size_t size) {
  size_t pitch;
  return hipMemAllocPitch(memory, &pitch, 1024, size / 1024, 4);
}
#else
static int pooled_per_thread(address *memory, size_t size) {
  return cuMemAllocAsync_ptsz(memory, size, NULL);
}
static int free_per_thread(address memory) { return cuMemFreeAsync_ptsz(memory, NULL); }
#endif

static const struct way {
  const char *name, *freeing;
  int (*get)(address *memory, size_t size);
  int (*give)(address memory);
} ways[] = {
    {GPU("hipMalloc", "cuMemAlloc_v2"), GPU("hipFree", "cuMemFree_v2"), plain, free_plain},
    {GPU("hipMallocManaged", "cuMemAllocManaged"), GPU("hipFree", "cuMemFree_v2"), managed,
     free_plain},
    {GPU("hipMallocPitch", "cuMemAllocPitch_v2"), GPU("hipFree", "cuMemFree_v2"), pitched,
     free_plain},
    {GPU("hipMallocAsync", "cuMemAllocAsync"), GPU("hipFreeAsync", "cuMemFreeAsync"), pooled,
     free_pooled},
    {GPU("hipMallocFromPoolAsync", "cuMemAllocFromPoolAsync"),
     GPU("hipFreeAsync", "cuMemFreeAsync"), from_pool, free_pooled},
    {GPU("hipMallocAsync", "cuMemAllocAsync"), GPU("hipFree", "cuMemFree_v2"), pooled, free_plain},
    {GPU("hipMemCreate", "cuMemCreate"), GPU("hipMemRelease", "cuMemRelease"), created, release},
    {GPU("hipArrayCreate", "cuArrayCreate_v2"), GPU("hipArrayDestroy", "cuArrayDestroy"), array_2d,
     free_array},
    {GPU("hipArray3DCreate", "cuArray3DCreate_v2"), GPU("hipArrayDestroy", "cuArrayDestroy"),
     array_3d, free_array},
    {GPU("hipMipmappedArrayCreate", "cuMipmappedArrayCreate"),
     GPU("hipMipmappedArrayDestroy", "cuMipmappedArrayDestroy"), mipmapped, free_mipmapped},
#ifdef GENERATION
    {"hipExtMallocWithFlags", "hipFree", with_flags, free_plain},
    {"hipMemAllocPitch", "hipFree", driver_pitched, free_plain},
    {"hipMalloc3D", "hipFree", spatial, free_plain},
    {"hipMallocArray", "hipFreeArray", array_of, free_array_of},
    {"hipMalloc3DArray", "hipFreeArray", array_of_3d, free_array_of},
    {"hipMallocMipmappedArray", "hipFreeMipmappedArray", mipmapped_of, free_mipmapped_of},
#else
    {"cuMemAllocAsync_ptsz", "cuMemFreeAsync_ptsz", pooled_per_thread, free_per_thread},
#endif
};
#define WAYS (sizeof ways / sizeof *ways)

static int reserve_addresses(address *at, size_t size) {
  return GPU(hipMemAddressReserve, cuMemAddressReserve)(at, size, 0, 0, 0);
}
static int map(address at, size_t size, address handle) {
  return GPU(hipMemMap, cuMemMap)(at, size, 0, (void *)handle, 0);
}
static int unmap(address at, size_t size) { return GPU(hipMemUnmap, cuMemUnmap)(at, size); }

static uint64_t in_use(void) { return gpu_task_of(getpid()).memory; }

/* ---- what is counted ---------------------------------------------------------------------------
 */

static void every_way_is_counted(void) {
  gpu_start();
  address memory;
  CHECK(plain(&memory, 1 * MIB) == 0 && in_use() == 1 * MIB);
  for (size_t i = 0; i < WAYS; i++) {
    address more;
    CHECK(ways[i].get(&more, 64 * MIB) == 0);
    if (in_use() != 65 * MIB) {
      fprintf(stderr, "%s: %lu MiB in use\n", ways[i].name, (unsigned long)(in_use() / MIB));
      _exit(1);
    }
    CHECK(ways[i].give(more) == 0 && in_use() == 1 * MIB);
  }
  CHECK(gpu_task_of(getpid()).memory_peak == 65 * MIB);
}

static const struct way *failing;

static void fail_to_allocate_and_to_free(void) {
  char errors[256];
  address memory;
  snprintf(errors, sizeof errors, "%s=719", failing->name);
  setenv("GIVEWAY_FAKE_ERRORS", errors, 1);
  gpu_start();
  CHECK(failing->get(&memory, 64 * MIB) == 719 && in_use() == 0);
  CHECK(gpu_task_of(getpid()).memory_peak == 0);
  exit(0);
}

static void fail_to_free(void) {
  char errors[256];
  address memory;
  snprintf(errors, sizeof errors, "%s=719", failing->freeing);
  setenv("GIVEWAY_FAKE_ERRORS", errors, 1);
  gpu_start();
  CHECK(failing->get(&memory, 64 * MIB) == 0);
  CHECK(failing->give(memory) == 719 && failing->give(memory) == 719 && in_use() == 64 * MIB);
  exit(0);
}

static void calls_that_fail_count_nothing(void) {
  for (size_t i = 0; i < WAYS; i++) {
    failing = &ways[i];
    CHECK(*gpu_said_by(fail_to_allocate_and_to_free) == '\0');
    CHECK(*gpu_said_by(fail_to_free) == '\0');
  }
}

/* As allocators of expandable segments and of pools do it. */
static void mappings_keep_memory(void) {
  gpu_start();
  address at, first, second, retained;
  CHECK(reserve_addresses(&at, 8 * MIB) == 0);
  CHECK(created(&first, 4 * MIB) == 0 && created(&second, 4 * MIB) == 0);
  CHECK(map(at, 4 * MIB, first) == 0 && map(at + 4 * MIB, 4 * MIB, second) == 0);
  CHECK(release(first) == 0 && release(second) == 0 && in_use() == 8 * MIB);
  CHECK(GPU(hipMemRetainAllocationHandle, cuMemRetainAllocationHandle)((void **)&retained, at) ==
        0);
  CHECK(retained == first);
  CHECK(unmap(at + 1, 4 * MIB) != 0 && in_use() == 8 * MIB);
  CHECK(unmap(at, 8 * MIB) == 0 && in_use() == 4 * MIB);
  CHECK(release(retained) == 0 && in_use() == 0);
}

static void memory_of_the_host_is_not_counted(void) {
  gpu_start();
  address handle;
  CHECK(GPU(hipMemCreate, cuMemCreate)((void **)&handle, 4 * MIB, &on_the_host, 0) == 0);
  address memory;
  CHECK(plain(&memory, 1 * MIB) == 0 && in_use() == 1 * MIB);
  CHECK(release(handle) == 0 && in_use() == 1 * MIB);
}

static void the_context_is_counted(void) {
  setenv("GIVEWAY_FAKE_CONTEXT", "536870912", 1);
  gpu_start();
  address memory;
  CHECK(plain(&memory, 64 * MIB) == 0 && in_use() == 576 * MIB);
}

static void the_context_is_stated(void) {
  setenv("GIVEWAY_CONTEXT_MIB", "300", 1);
  gpu_start();
  address memory;
  CHECK(plain(&memory, 64 * MIB) == 0 && in_use() == 364 * MIB);
}

static void memory_goes_with_its_context(void) {
  gpu_start();
  address memory;
  CHECK(plain(&memory, 64 * MIB) == 0 && in_use() == 64 * MIB);
#ifdef GENERATION
  CHECK(hipDeviceReset() == 0);
#else
  CHECK(cuDevicePrimaryCtxReset_v2(0) == 0);
#endif
  CHECK(in_use() == 0);
}

static void allocate_and_wait(void) {
  gpu_start();
  address memory;
  CHECK(plain(&memory, 2 * GIB) == 0);
  CHECK(write(STDERR_FILENO, "x", 1) == 1);
  pause();
}

/* A process that has allocated: the caller may kill it. */
static pid_t start_allocated(void) {
  int ends[2];
  char byte;
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    allocate_and_wait();
  }
  close(ends[1]);
  CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
  return pid;
}

static void a_killed_program_has_none(void) {
  pid_t pid = start_allocated();
  CHECK(gpu_task_of(pid).memory == 2 * GIB);
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
  CHECK(gpu_task_of(pid).row == UINT32_MAX);
}

#define THREADS 4
static _Atomic uint64_t granted;

static void *allocate_until_refused(void *unused) {
  (void)unused;
  address memory;
  CHECK(gpu_retain() == 0);
  for (int result = 0; result == 0;) {
    result = plain(&memory, 1 * MIB);
    CHECK(result == 0 || result == OUT_OF_MEMORY);
    atomic_fetch_add(&granted, result == 0);
  }
  return NULL;
}

static void threads_share_the_limit(void) {
  setenv("GIVEWAY_MEMORY", "104857600", 1);
  gpu_start();
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    pthread_create(&threads[i], NULL, allocate_until_refused, NULL);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
  }
  CHECK(atomic_load(&granted) <= 100 && in_use() == atomic_load(&granted) * MIB);
  address memory;
  while (plain(&memory, 1 * MIB) == 0) {
  }
  CHECK(in_use() == 100 * MIB);
}

static const struct test_case cases[] = {
    {"every way is counted", every_way_is_counted},
    {"calls that fail count nothing", calls_that_fail_count_nothing},
    {"mappings keep memory", mappings_keep_memory},
    {"memory of the host is not counted", memory_of_the_host_is_not_counted},
    {"the context is counted", the_context_is_counted},
    {"the context is stated", the_context_is_stated},
    {"memory goes with its context", memory_goes_with_its_context},
    {"a killed program has none", a_killed_program_has_none},
    {"threads share the limit", threads_share_the_limit},
};
RUN_CASES(cases, 240)
