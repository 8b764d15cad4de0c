/* The one clock of the native code: CLOCK_MONOTONIC in nanoseconds, as the page has its times. */
#ifndef GIVEWAY_CLOCK_H
#define GIVEWAY_CLOCK_H

#include <stdint.h>
#include <time.h>

#ifdef GIVEWAY_TEST_CLOCK
uint64_t gw_now(void); /* the test sets it: native/tests/clock.c */
#else
static inline uint64_t gw_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
#endif

#endif
