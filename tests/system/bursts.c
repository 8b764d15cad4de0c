/* Has 2 ms of work every 20 ms, until its stdin ends; then prints the number of bursts. */
#include <poll.h>
#include <stdio.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  long bursts = 0;
  while (poll(&input, 1, bursts == 0 ? 0 : 20) <= 0) { /* below 0: a signal of giveway's */
#pragma omp parallel num_threads(2)
    for (double end = now() + 0.002; now() < end;) {
    }
    if (++bursts == 1) {
      puts("ready");
      fflush(stdout);
    }
  }
  printf("%ld\n", bursts);
  return 0;
}
