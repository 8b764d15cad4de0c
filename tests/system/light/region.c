/* One launch: a parallel region that lasts a millisecond and leaves the cores to others. */
#include <errno.h>
#include <time.h>

void region(void) {
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_nsec += 1000000;
  if (end.tv_nsec >= 1000000000) {
    end.tv_sec++;
    end.tv_nsec -= 1000000000;
  }
#pragma omp parallel num_threads(1)
  /* A gate that closes interrupts the sleep. */
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR) {
  }
}
