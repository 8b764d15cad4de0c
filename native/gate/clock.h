/* The one clock of the native code, as the page has its times: CLOCK_MONOTONIC in nanoseconds, in
 * the initial time namespace. */
#ifndef GIVEWAY_CLOCK_H
#define GIVEWAY_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* By how much this process's CLOCK_MONOTONIC is ahead of that; 0 before the first page is opened.
 */
extern __attribute__((visibility("default"))) _Atomic int64_t gw_clock_ahead_ns;

/* Reads gw_clock_ahead_ns from the kernel, once in a process and again in a forked child: the child
 * may be in another time namespace. */
void gw_clock_compare(void);

/* For intervals, and for programs without libgiveway. */
static inline uint64_t gw_monotonic(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#ifdef GIVEWAY_TEST_CLOCK
uint64_t gw_now(void); /* in native/tests/clock.c, by the clock that a test sets */
#else
static inline uint64_t gw_now(void) {
  return gw_monotonic() - (uint64_t)atomic_load_explicit(&gw_clock_ahead_ns, memory_order_relaxed);
}
#endif

#endif
