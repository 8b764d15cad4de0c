/* What the shim adds to a launch: instant kernels on the fake driver, through the shim and, next to
 * it, through the driver's own entry point. Run with libgiveway-cuda.so preloaded and
 * GIVEWAY_CUDA_LIBRARY naming the fake one. Prints JSON. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../tests/cuda_api.h"
#include "giveway.h"

#define ROUNDS 21
#define LAUNCHES 500000

typedef int (*launch_fn)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                         unsigned, CUstream, void **, void **);

static CUfunction kernel;

static double ns_each(launch_fn launch, CUstream stream) {
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (int i = 0; i < LAUNCHES; i++) {
    launch(kernel, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL);
  }
  clock_gettime(CLOCK_MONOTONIC, &b);
  return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / LAUNCHES;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void compare(const char *name, launch_fn direct, CUstream stream, const char *end) {
  double added[ROUNDS], bare[ROUNDS];
  ns_each(cuLaunchKernel, stream);
  for (int round = 0; round < ROUNDS; round++) {
    bare[round] = ns_each(direct, stream);
    added[round] = ns_each(cuLaunchKernel, stream) - bare[round];
  }
  qsort(added, ROUNDS, sizeof *added, ascending);
  qsort(bare, ROUNDS, sizeof *bare, ascending);
  printf("  \"%s_bare_ns\": {\"n\": %d, \"min\": %.1f, \"p50\": %.1f, \"max\": %.1f},\n", name,
         ROUNDS, bare[0], bare[ROUNDS / 2], bare[ROUNDS - 1]);
  printf("  \"%s_added_ns\": {\"n\": %d, \"min\": %.1f, \"p50\": %.1f, \"max\": %.1f}%s\n", name,
         ROUNDS, added[0], added[ROUNDS / 2], added[ROUNDS - 1], end);
}

int main(void) {
  const char *path = getenv("GIVEWAY_CUDA_LIBRARY");
  void *driver = path == NULL ? NULL : dlopen(path, RTLD_LAZY);
  launch_fn direct = driver == NULL ? NULL : (launch_fn)dlsym(driver, "cuLaunchKernel");
  if (direct == NULL || direct == cuLaunchKernel || !gw_hooked()) {
    fprintf(stderr, "bench_launch: preload libgiveway-cuda.so and say GIVEWAY_CUDA_LIBRARY\n");
    return 1;
  }
  CUcontext context;
  CUmodule module;
  CUstream stream;
  if (cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
      cuCtxSetCurrent(context) != 0 || cuModuleLoadData(&module, "") != 0 ||
      cuModuleGetFunction(&kernel, module, "ns_0") != 0 || cuStreamCreate(&stream, 0) != 0) {
    fprintf(stderr, "bench_launch: the driver does not work\n");
    return 1;
  }
  printf("{\n");
  compare("null_stream", direct, NULL, ",");
  compare("created_stream", direct, stream, "");
  printf("}\n");
  return 0;
}
