/* One of two programs that share a device, on a real runtime over the stand-in: simulated.
 *   hip_burst CODE-OBJECT urgent SECONDS   10 kernels of 200 µs about every 20 ms; latency counts
 *                                          from when the burst was due
 *   hip_burst CODE-OBJECT other SECONDS    continuous kernels of that kind, with a wait after each
 * 50 Prints a line when it is ready, and one line of JSON at its end. */
#include <time.h>

#include "../gate/clock.h"
#include "hip_kernels.h"

#define PERIOD_NS UINT64_C(20000000)
#define MOST 10000

static hipFunction_t kernel;
static hipStream_t stream;

static void burst(int count) {
  for (int i = 0; i < count; i++) {
    MUST(hipModuleLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
  }
  MUST(hipStreamSynchronize(stream));
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
    struct timespec t = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    burst(10);
    us[n++] = (double)(gw_monotonic() - due) / 1e3;
    due += PERIOD_NS - 3000000 + (uint64_t)(drand48() * 6e6); /* not in step with time slices */
  }
  qsort(us, (size_t)n, sizeof *us, ascending);
  printf("{\"n\": %d, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n", n,
         us[n / 2], us[n * 9 / 10], us[n * 99 / 100], us[n - 1]);
}

static void other(uint64_t end) {
  uint64_t start = gw_monotonic(), n = 0;
  for (; gw_monotonic() < end; n += 50) {
    burst(50);
  }
  printf("{\"kernels_per_s\": %.1f}\n", (double)n * 1e9 / (double)(gw_monotonic() - start));
}

int main(int count, char **arguments) {
  MUST(count != 4);
  read_code(arguments[1]);
  kernel = module_kernel("ns_200000");
  MUST(hipStreamCreateWithFlags(&stream, 1));
  burst(1);
  puts("ready");
  fflush(stdout);
  uint64_t end = gw_monotonic() + (uint64_t)(atof(arguments[3]) * 1e9);
  if (strcmp(arguments[2], "urgent") == 0) {
    urgent(end);
  } else {
    other(end);
  }
  return 0;
}
