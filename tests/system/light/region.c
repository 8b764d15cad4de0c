/* One launch: a parallel region that lasts a millisecond and leaves the cores to others. With
 * LIGHT_COMPUTES set, it keeps two cores busy instead, so that programs compete for them. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void compute_until(const struct timespec *end) {
  struct timespec now;
  do {
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec < end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec < end->tv_nsec));
}

void region(void) {
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_nsec += 1000000;
  if (end.tv_nsec >= 1000000000) {
    end.tv_sec++;
    end.tv_nsec -= 1000000000;
  }
  if (getenv("LIGHT_COMPUTES") != NULL) {
#pragma omp parallel num_threads(2)
    compute_until(&end);
    return;
  }
#pragma omp parallel num_threads(1)
  /* A gate that closes interrupts the sleep. */
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR) {
  }
}
