/* One of two programs that share a GPU, and record by the device's own clock when the device worked
 * for each of them.
 *
 *   preempt low SECONDS KERNEL_US          continuous kernels, with a wait after each 100
 *   preempt urgent SECONDS KERNEL_US       one kernel about every 10 ms
 *
 * Uses the NULL stream, and writes 64-bit words to standard output. `low` writes for each kernel:
 * began, ended. `urgent` writes for each kernel: launch called, launch returned, began, ended, seen
 * to be done. All times are nanoseconds of the device's clock. The host's times are converted, to
 * about 1 us. */
#include <stdlib.h>
#include <string.h>

#include "../native/programs/timed_kernel.h"

#define PERIOD_NS UINT64_C(10000000)
#define PER_WAIT 100
#define MOST (1 << 20)
#define PORTABLE_AND_MAPPED 3

struct span {
  uint64_t began, ended;
};

static CUfunction tick;
static struct span *spans; /* written by the device */
static CUdeviceptr at;     /* the next one */

static void launch(void) {
  void *parameters[] = {&iterations, &at};
  cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL);
}

static const char kernels[] =
    ".version 6.0\n.target sm_50\n.address_size 64\n"
    ".visible .entry run(.param .u64 n, .param .u64 to) {\n"
    ".reg .u64 %rd<6>; .reg .pred %p;\n"
    "mov.u64 %rd3, %globaltimer;\n"
    "ld.param.u64 %rd1, [n]; ld.param.u64 %rd4, [to];\n" LOOP "mov.u64 %rd5, %globaltimer;\n"
    "st.volatile.global.u64 [%rd4], %rd3; st.volatile.global.u64 [%rd4+8], %rd5;\n"
    "ret; }\n"
    /* Writes the device's clock for the host, repeatedly. */
    ".visible .entry tick(.param .u64 n, .param .u64 to) {\n"
    ".reg .u64 %rd<6>; .reg .pred %p;\n"
    "ld.param.u64 %rd1, [n]; ld.param.u64 %rd4, [to]; mov.u64 %rd2, 0;\n"
    "L: mov.u64 %rd3, %globaltimer; st.volatile.global.u64 [%rd4], %rd3; membar.sys;\n"
    "add.u64 %rd2, %rd2, 1; setp.lt.u64 %p, %rd2, %rd1; @%p bra L;\n"
    "ret; }\n";

/* How far the device's clock is ahead of the host's, in ns. A time that the host reads may be old
 * and never new, so the greatest difference is the best estimate. */
static int64_t ahead(void) {
  volatile uint64_t *word = (volatile uint64_t *)spans;
  uint64_t ticks = 1000;
  CUdeviceptr to = (CUdeviceptr)spans;
  int64_t most = INT64_MIN;
  *word = 0;
  void *parameters[] = {&ticks, &to};
  cuLaunchKernel(tick, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL);
  while (cuStreamQuery(stream) != 0) {
    for (int i = 0; i < 100; i++) {
      uint64_t shown = *word;
      int64_t difference = (int64_t)(shown - gw_now());
      most = shown != 0 && difference > most ? difference : most;
    }
  }
  return most;
}

static void low(uint64_t end) {
  uint64_t n = 0;
  while (gw_now() < end && n < MOST) {
    for (int i = 0; i < PER_WAIT && n < MOST; i++) {
      at = (CUdeviceptr)&spans[n++];
      launch();
    }
    cuStreamSynchronize(stream);
  }
  fwrite(spans, sizeof *spans, n, stdout);
}

static void urgent(uint64_t end) {
  static uint64_t called[MOST], returned[MOST], seen[MOST];
  uint64_t n = 0, start = gw_now(), due = start;
  int64_t first = ahead();
  for (; due < end && n < MOST; n++) {
    /* At random, so that kernels are not in step with the device's time slices. */
    due += PERIOD_NS - 3000000 + (uint64_t)(drand48() * 6e6);
    sleep_until(due);
    at = (CUdeviceptr)&spans[n + 1];
    called[n] = gw_now();
    launch();
    returned[n] = gw_now();
    cuStreamSynchronize(stream);
    seen[n] = gw_now();
  }
  int64_t last = ahead();
  double drift = (double)(last - first) / (double)(gw_now() - start);
  for (uint64_t i = 0; i < n; i++) {
    int64_t by = first + (int64_t)((double)(called[i] - start) * drift);
    uint64_t words[] = {called[i] + (uint64_t)by, returned[i] + (uint64_t)by, spans[i + 1].began,
                        spans[i + 1].ended, seen[i] + (uint64_t)by};
    fwrite(words, sizeof words, 1, stdout);
  }
}

int main(int count, char **arguments) {
  CUcontext context;
  unsigned us = count == 4 ? (unsigned)atoi(arguments[3]) : 0;
  if (us == 0) {
    fprintf(stderr, "preempt low|urgent SECONDS KERNEL_US\n");
    return 2;
  }
  if (cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
      cuCtxSetCurrent(context) != 0 ||
      cuMemHostAlloc((void **)&spans, MOST * sizeof *spans, PORTABLE_AND_MAPPED) != 0 ||
      load(&kernel, kernels, "run") != 0 || load(&tick, kernels, "tick") != 0) {
    fprintf(stderr, "preempt: the driver does not work\n");
    return 1;
  }
  at = (CUdeviceptr)spans;
  memset(spans, 0, MOST * sizeof *spans);
  if (calibrate(us) != 0) {
    fprintf(stderr, "preempt: the kernel does not run\n");
    return 1;
  }
  uint64_t end = gw_now() + (uint64_t)(atof(arguments[2]) * 1e9);
  if (strcmp(arguments[1], "low") == 0) {
    low(end);
  } else {
    urgent(end);
  }
  return 0;
}
