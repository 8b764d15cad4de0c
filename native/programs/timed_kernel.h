/* A kernel that runs for a given time, for programs that measure. A file that includes this defines
 * `launch`, which launches the kernel once. */
#ifndef GIVEWAY_BENCH_TIMED_KERNEL_H
#define GIVEWAY_BENCH_TIMED_KERNEL_H

#include <stdio.h>
#include <time.h>

#include "../fake/api/cuda_api.h"
#include "../gate/clock.h"

static CUfunction kernel;
static CUstream stream;
static uint64_t iterations = 100000;

static void launch(void);

static void sleep_until(uint64_t moment) {
  struct timespec t = {(time_t)(moment / 1000000000u), (long)(moment % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* The loop: %rd1 holds the number of rounds to go. The kernel counts rounds instead of reading a
 * clock, so that the time slice of another process does not shorten its work. */
#define LOOP                                                                                       \
  "mov.u64 %rd2, 0;\n"                                                                             \
  "L: add.u64 %rd2, %rd2, 1; xor.b64 %rd2, %rd2, 0;\n"                                             \
  "membar.cta;\n"                                                                                  \
  "setp.lt.u64 %p, %rd2, %rd1; @%p bra L;\n"

/* On the current context. */
static int load(CUfunction *function, const char *ptx, const char *name) {
  CUmodule module;
  int result = cuModuleLoadData(&module, ptx);
  return result != 0 ? result : cuModuleGetFunction(function, module, name);
}

/* Finds the number of rounds that take the given time. */
static int calibrate(unsigned us) {
  CUevent before, after;
  float ms = 0;
  if (cuEventCreate(&before, 0) != 0 || cuEventCreate(&after, 0) != 0) {
    return 1;
  }
  for (int i = 0; i < 6; i++) { /* the first ones also warm the clocks up */
    cuEventRecord(before, stream);
    launch();
    cuEventRecord(after, stream);
    cuEventSynchronize(after);
    if (cuEventElapsedTime(&ms, before, after) != 0 || ms <= 0) {
      return 1;
    }
    iterations = (uint64_t)((double)iterations * us / ((double)ms * 1e3)) + 1;
  }
  return 0;
}

#endif
