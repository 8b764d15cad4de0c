/* One of two programs that share a device, real or fake.
 *
 *   burst urgent SECONDS KERNEL_US COUNT [stream]   COUNT kernels about every 20 ms, open loop;
 *                                                   latency counts from when the burst was due
 *   burst other SECONDS KERNEL_US COUNT [stream]    continuous kernels, with a wait after each
 * COUNT burst hold SECONDS KERNEL_US COUNT [stream]     has work all the time, and the device idles
 *   burst idle SECONDS KERNEL_US COUNT [stream]     has joined, and has no work
 *
 * On the NULL stream, or a created one. Prints one line of JSON. */
#include <stdlib.h>
#include <string.h>

#include "timed_kernel.h"

#define PERIOD_NS UINT64_C(20000000)
#define MOST 100000

static unsigned burst;

static void launch(void) {
  void *parameters[] = {&iterations};
  cuLaunchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, stream, parameters, NULL);
}

/* A fake driver takes its time from the name. */
static int load_kernel(unsigned us) {
  char text[1024], name[32];
  snprintf(name, sizeof name, "ns_%u000", us);
  snprintf(text, sizeof text, ".version 6.0\n.target sm_50\n.address_size 64\n.visible .entry %s%s",
           name,
           "(.param .u64 n) {\n.reg .u64 %rd<3>; .reg .pred %p;\n"
           "ld.param.u64 %rd1, [n];\n" LOOP "ret; }\n");
  return load(&kernel, text, name);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void urgent(uint64_t end) {
  static double us[MOST];
  int n = 0;
  uint64_t due = gw_monotonic();
  while (due < end && n < MOST) {
    sleep_until(due);
    for (int i = 0; i < (int)burst; i++) {
      launch();
    }
    cuStreamSynchronize(stream);
    us[n++] = (double)(gw_monotonic() - due) / 1e3;
    /* At random, so that bursts are not in step with the device's time slices. */
    due += PERIOD_NS - 3000000 + (uint64_t)(drand48() * 6e6);
  }
  qsort(us, (size_t)n, sizeof *us, ascending);
  printf("{\"n\": %d, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n", n,
         us[n / 2], us[n * 9 / 10], us[n * 99 / 100], us[n - 1]);
}

static void other(uint64_t end) {
  uint64_t start = gw_monotonic(), n = 0;
  while (gw_monotonic() < end) {
    for (int i = 0; i < (int)burst; i++) {
      launch();
      n++;
    }
    cuStreamSynchronize(stream);
  }
  printf("{\"kernels_per_s\": %.1f}\n", (double)n * 1e9 / (double)(gw_monotonic() - start));
}

static void sleep_for(double seconds) { sleep_until(gw_monotonic() + (uint64_t)(seconds * 1e9)); }

/* A kernel behind a word that is written at the end. */
static int hold(double seconds) {
  uint32_t *word;
  if (cuMemHostAlloc((void **)&word, sizeof *word, 2) != 0) {
    return 1;
  }
  *word = 0;
  if (cuStreamWaitValue32_v2(stream, (CUdeviceptr)word, 1, 0) != 0) {
    return 1;
  }
  launch();
  sleep_for(seconds);
  *(volatile uint32_t *)word = 1;
  cuStreamSynchronize(stream);
  printf("{\"held_s\": %.1f}\n", seconds);
  return 0;
}

int main(int count, char **arguments) {
  CUcontext context;
  unsigned us = count > 4 ? (unsigned)atoi(arguments[3]) : 0;
  if (us == 0) {
    fprintf(stderr, "burst urgent|other|hold|idle SECONDS KERNEL_US COUNT [stream]\n");
    return 2;
  }
  burst = (unsigned)atoi(arguments[4]);
  if (cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
      cuCtxSetCurrent(context) != 0 || load_kernel(us) != 0 ||
      (count > 5 && cuStreamCreate(&stream, 1) != 0) || calibrate(us) != 0) {
    fprintf(stderr, "burst: the driver does not work\n");
    return 1;
  }
  if (strcmp(arguments[1], "hold") == 0) {
    return hold(atof(arguments[2]));
  }
  if (strcmp(arguments[1], "idle") == 0) {
    sleep_for(atof(arguments[2]));
    return 0;
  }
  uint64_t end = gw_monotonic() + (uint64_t)(atof(arguments[2]) * 1e9);
  if (strcmp(arguments[1], "urgent") == 0) {
    urgent(end);
  } else {
    other(end);
  }
  return 0;
}
