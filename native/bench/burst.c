/* One of two programs that share a device. `burst urgent SECONDS`: 10 kernels of 200 us every 20
 * ms, open loop, latency counted from when the burst was due. `burst other SECONDS`: 200 us kernels
 * as fast as they go. A third argument "stream" uses a created stream instead of the NULL stream.
 * Prints one line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../tests/cuda_api.h"

#define BURST 10
#define PERIOD_NS UINT64_C(20000000)
#define MOST 100000

static CUfunction kernel;
static CUstream stream;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void launch(void) { cuLaunchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL); }

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void urgent(uint64_t end) {
  static double us[MOST];
  int n = 0;
  uint64_t due = now_ns();
  while (due < end && n < MOST) {
    struct timespec t = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    for (int i = 0; i < BURST; i++) {
      launch();
    }
    cuStreamSynchronize(stream);
    us[n++] = (double)(now_ns() - due) / 1e3;
    /* Not in step with anybody's time slices. */
    due += PERIOD_NS - 3000000 + (uint64_t)(drand48() * 6e6);
  }
  qsort(us, (size_t)n, sizeof *us, ascending);
  printf("{\"n\": %d, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n", n,
         us[n / 2], us[n * 9 / 10], us[n * 99 / 100], us[n - 1]);
}

static void other(uint64_t end) {
  uint64_t start = now_ns(), n = 0;
  while (now_ns() < end) {
    for (int i = 0; i < 50; i++) {
      launch();
      n++;
    }
    cuStreamSynchronize(stream);
  }
  printf("{\"kernels_per_s\": %.1f}\n", (double)n * 1e9 / (double)(now_ns() - start));
}

int main(int count, char **arguments) {
  CUcontext context;
  CUmodule module;
  if (count < 3 || cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
      cuCtxSetCurrent(context) != 0 || cuModuleLoadData(&module, "") != 0 ||
      cuModuleGetFunction(&kernel, module, "ns_200000") != 0) {
    fprintf(stderr, "burst urgent|other SECONDS [stream]: or the driver does not work\n");
    return 1;
  }
  if (count > 3 && strcmp(arguments[3], "stream") == 0) {
    cuStreamCreate(&stream, 1);
  }
  uint64_t end = now_ns() + (uint64_t)(atof(arguments[2]) * 1e9);
  if (strcmp(arguments[1], "urgent") == 0) {
    urgent(end);
  } else {
    other(end);
  }
  return 0;
}
