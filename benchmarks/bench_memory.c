/* Measures the time that the shim adds to an allocation and its free: to count them, with a limit,
 * and beside tasks that have reserved memory. Calls go through the shim and, alternating, through
 * the driver's own entry points. Run with libgiveway-cuda.so preloaded (or by giveway run), and
 * with GIVEWAY_CUDA_LIBRARY as the path of the driver, real or fake. Prints JSON. */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../native/fake/api/cuda_api.h"
#include "giveway_hook.h"

#define ROUNDS 21
#define TURNS 20
#define LIVE 256 /* allocations in one block, of which all are there before the first is freed */
#define SIZE 65536
#define OTHERS 7

struct way {
  int (*allocate)(CUdeviceptr *memory, size_t size);
  int (*free)(CUdeviceptr memory);
};

static const struct way shim = {cuMemAlloc_v2, cuMemFree_v2};

/* Of the thread alone: nothing here waits, and another program may use the machine. */
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

struct times {
  double allocate, free; /* nanoseconds */
};

/* Adds the times of one block. */
static void turn(const struct way *way, struct times *sum) {
  CUdeviceptr memory[LIVE];
  double began = now();
  for (int i = 0; i < LIVE; i++) {
    if (way->allocate(&memory[i], SIZE) != 0) {
      fprintf(stderr, "bench_memory: an allocation failed\n");
      exit(1);
    }
  }
  double between = now();
  for (int i = 0; i < LIVE; i++) {
    way->free(memory[i]);
  }
  sum->allocate += between - began;
  sum->free += now() - between;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void say(const char *name, const char *what, double *ns, const char *end) {
  qsort(ns, ROUNDS, sizeof *ns, ascending);
  printf("  \"%s_%s_ns\": {\"n\": %d, \"min\": %.1f, \"p50\": %.1f, \"max\": %.1f}%s\n", name, what,
         ROUNDS, ns[0], ns[ROUNDS / 2], ns[ROUNDS - 1], end);
}

static void compare(const char *name, const struct way *direct, const char *end) {
  double bare[ROUNDS], allocate[ROUNDS], free[ROUNDS];
  const double calls = TURNS * LIVE;
  for (int round = 0; round < ROUNDS; round++) {
    struct times around = {0}, through = {0};
    for (int i = 0; i < TURNS; i++) { /* alternating, because the processor changes its speed */
      turn(direct, &around);
      turn(&shim, &through);
    }
    bare[round] = around.allocate / calls;
    allocate[round] = (through.allocate - around.allocate) / calls;
    free[round] = (through.free - around.free) / calls;
  }
  say(name, "bare", bare, ",");
  say(name, "allocation_added", allocate, ",");
  say(name, "free_added", free, end);
}

/* Tasks of this process stand for other programs: their rows are the same. */
static void add_others(const char *device) {
  gw_page *page;
  setenv("GIVEWAY_RESERVE", "1048576", 1);
  if (gw_page_open(device, 1, &page) != GW_OK) {
    fprintf(stderr, "%s: no page\n", device);
    exit(1);
  }
  for (int i = 0; i < OTHERS; i++) {
    gw_task *task;
    struct gw_task_options options = {.name = "other", .is_thread = 1};
    if (gw_join(page, &options, &task) == GW_OK) {
      gw_memory_begin(task, (uint64_t)1 << 34, 0);
    }
  }
}

int main(void) {
  const char *path = getenv("GIVEWAY_CUDA_LIBRARY");
  /* Not by dlopen: the shim's would open the shim in the driver's place. */
  void *driver = path == NULL ? NULL : dlmopen(LM_ID_BASE, path, RTLD_LAZY);
  struct way direct = {NULL, NULL};
  if (driver != NULL) {
    direct.allocate = (int (*)(CUdeviceptr *, size_t))dlsym(driver, "cuMemAlloc_v2");
    direct.free = (int (*)(CUdeviceptr))dlsym(driver, "cuMemFree_v2");
  }
  if (direct.allocate == NULL || direct.allocate == cuMemAlloc_v2 || !gw_hooked()) {
    fprintf(stderr, "bench_memory: preload libgiveway-cuda.so and say GIVEWAY_CUDA_LIBRARY\n");
    return 1;
  }
  CUcontext context;
  unsigned char u[16];
  char device[64];
  if (cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
      cuCtxSetCurrent(context) != 0 || cuDeviceGetUuid_v2(u, 0) != 0) {
    fprintf(stderr, "bench_memory: the driver does not work\n");
    return 1;
  }
  snprintf(device, sizeof device,
           "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
           u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
           u[15]);
  setenv("GIVEWAY_MEMORY", "90%", 1);
  mallopt(M_TRIM_THRESHOLD, 1 << 30); /* the fake driver's memory comes from malloc */
  printf("{\n");
  compare("limit", &direct, ",");
  add_others(device);
  compare("beside_reservations", &direct, "");
  printf("}\n");
  return 0;
}
