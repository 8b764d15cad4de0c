/* Opens outermost parallel regions of about a millisecond until its stdin ends, or as many as the
 * argument states; then prints their number. Each has two threads on any number of cores. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  long wanted = argc > 1 ? atol(argv[1]) : 0;
  struct pollfd input = {.fd = 0, .events = POLLIN};
  long regions = 0;
  while (wanted > 0 ? regions < wanted
                    : poll(&input, 1, 0) <= 0) { /* less: a signal of giveway's came */
#pragma omp parallel num_threads(2)
    for (double end = now() + 0.001; now() < end;) {
    }
    if (++regions == 1) {
      puts("ready");
      fflush(stdout);
    }
  }
  printf("%ld\n", regions);
  return 0;
}
