/* Measures the time that the shim adds to a launch, and to a launch with a wait. Launches go
 * through the shim and, alternating, through the driver's own entry points. Run with
 * libgiveway-cuda.so preloaded (or by giveway run), and with GIVEWAY_CUDA_LIBRARY as the path of
 * the driver, real or fake. Kernels on the fake driver are instant. Prints JSON. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../native/fake/api/cuda_api.h"
#include "../native/gate/clock.h"
#include "giveway.h"

#define ROUNDS 21
#define TURNS 100
#define LAUNCHES 200 /* in one block: fewer than those at which a driver makes a program wait */

typedef int (*launch_fn)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                         unsigned, CUstream, void **, void **);
typedef int (*wait_fn)(CUstream);

struct way {
  launch_fn launch;
  wait_fn wait;
};

static const struct way shim = {cuLaunchKernel, cuStreamSynchronize};
static CUfunction kernel;
static CUstream stream;

/* Nanoseconds of one block of launches. */
static double turn(const struct way *way, int waited) {
  uint64_t began = gw_now();
  for (int i = 0; i < LAUNCHES; i++) {
    way->launch(kernel, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL);
    if (waited) {
      way->wait(stream);
    }
  }
  double took = (double)(gw_now() - began);
  shim.wait(stream);
  return took;
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

static void compare(const char *name, const struct way *direct, int waited, const char *end) {
  double added[ROUNDS], bare[ROUNDS];
  turn(&shim, waited);
  for (int round = 0; round < ROUNDS; round++) {
    double through = 0, around = 0;
    for (int i = 0; i < TURNS; i++) { /* alternating, because the processor changes its speed */
      around += turn(direct, waited);
      through += turn(&shim, waited);
    }
    bare[round] = around / (TURNS * LAUNCHES);
    added[round] = through / (TURNS * LAUNCHES) - bare[round];
  }
  say(name, "bare", bare, ",");
  say(name, "added", added, end);
}

int main(void) {
  static const char text[] =
      ".version 6.0\n.target sm_50\n.address_size 64\n.visible .entry ns_0() { ret; }\n";
  const char *path = getenv("GIVEWAY_CUDA_LIBRARY");
  /* The shim answers for dlopen of a driver. */
  void *driver = path == NULL ? NULL : dlmopen(LM_ID_BASE, path, RTLD_LAZY);
  struct way direct = {NULL, NULL};
  if (driver != NULL) {
    direct.launch = (launch_fn)dlsym(driver, "cuLaunchKernel");
    direct.wait = (wait_fn)dlsym(driver, "cuStreamSynchronize");
  }
  if (direct.launch == NULL || direct.launch == cuLaunchKernel || !gw_hooked()) {
    fprintf(stderr, "bench_launch: preload libgiveway-cuda.so and say GIVEWAY_CUDA_LIBRARY\n");
    return 1;
  }
  CUcontext context;
  CUmodule module;
  CUstream created;
  if (cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
      cuCtxSetCurrent(context) != 0 || cuModuleLoadData(&module, text) != 0 ||
      cuModuleGetFunction(&kernel, module, "ns_0") != 0 || cuStreamCreate(&created, 0) != 0) {
    fprintf(stderr, "bench_launch: the driver does not work\n");
    return 1;
  }
  printf("{\n");
  compare("null_stream", &direct, 0, ",");
  compare("null_stream_waited", &direct, 1, ",");
  stream = created;
  compare("created_stream", &direct, 0, ",");
  compare("created_stream_waited", &direct, 1, "");
  printf("}\n");
  return 0;
}
