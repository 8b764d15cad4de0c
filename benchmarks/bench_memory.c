/* Measures the time that the shim adds to an allocation and its free: without a limit, with one,
 * and with one beside other programs that have reserved memory. Calls go through the shim and,
 * alternating, through the driver's own entry points. Run with libgiveway-cuda.so preloaded (or by
 * giveway run), and with GIVEWAY_CUDA_LIBRARY as the path of the driver, real or fake. Prints JSON.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

static void fail(const char *why) {
  fprintf(stderr, "bench_memory: %s\n", why);
  exit(1);
}

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
      fail("an allocation failed");
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

/* The shim asks the driver for the context of each allocation: this is a part of what it adds. */
static void time_context(int (*get_current)(CUcontext *)) {
  double ns[ROUNDS];
  CUcontext context;
  for (int round = 0; round < ROUNDS; round++) {
    double began = now();
    for (int i = 0; i < TURNS * LIVE; i++) {
      get_current(&context);
    }
    ns[round] = (now() - began) / (TURNS * LIVE);
  }
  say("driver", "current_context", ns, ",");
}

static gw_page *page_of(const char *device) {
  gw_page *page;
  if (gw_page_open(device, 1, &page) != GW_OK) {
    fail("there is no page");
  }
  return page;
}

static void set_limit(gw_page *page, uint64_t bytes) {
  struct gw_task_info infos[64];
  for (int i = gw_tasks(page, infos, 64); i-- > 0;) {
    if (infos[i].pid == (uint32_t)getpid()) {
      gw_set_memory_limit(page, infos[i].ticket, bytes);
      return;
    }
  }
  fail("the program has no task");
}

/* Another program: it has reserved memory until the pipe is closed. */
static void reserve(const char *device, int until, int done) {
  char byte = 0;
  gw_task *task;
  struct gw_task_options options = {.name = "other"};
  gw_page *page = page_of(device);
  setenv("GIVEWAY_RESERVE", "1048576", 1);
  if (gw_join(page, &options, &task) == GW_OK) {
    gw_memory_begin(task, (uint64_t)1 << 34, 0);
    if (write(done, &byte, 1) == 1) {
      _exit(read(until, &byte, 1) == 0 ? 0 : 1);
    }
  }
  _exit(1);
}

static void add_others(const char *device) {
  int until[2], done[2];
  if (pipe(until) != 0 || pipe(done) != 0) {
    fail("there is no pipe");
  }
  for (int i = 0; i < OTHERS; i++) {
    if (fork() == 0) {
      close(until[1]);
      close(done[0]);
      reserve(device, until[0], done[1]);
    }
  }
  close(done[1]);
  for (int i = 0; i < OTHERS; i++) {
    char byte;
    if (read(done[0], &byte, 1) != 1) {
      fail("another program has not joined");
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
    fail("preload libgiveway-cuda.so and say GIVEWAY_CUDA_LIBRARY");
  }
  CUcontext context;
  unsigned char u[16];
  char device[64];
  if (cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
      cuCtxSetCurrent(context) != 0 || cuDeviceGetUuid_v2(u, 0) != 0) {
    fail("the driver does not work");
  }
  snprintf(device, sizeof device,
           "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
           u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
           u[15]);
  mallopt(M_TRIM_THRESHOLD, 1 << 30); /* the fake driver's memory comes from malloc */
  printf("{\n");
  time_context((int (*)(CUcontext *))dlsym(driver, "cuCtxGetCurrent"));
  compare("no_limit", &direct, ",");
  set_limit(page_of(device), (uint64_t)1 << 33);
  compare("limit", &direct, ",");
  add_others(device);
  compare("beside_reservations", &direct, "");
  printf("}\n");
  return 0;
}
