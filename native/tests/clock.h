/* A clock that the test controls. Until clock_stop it is the kernel's clock. From then on the clock
 * stands still for the test and all its forks, and moves only by clock_advance. Call clock_stop
 * before the first task joins. */
#ifndef GIVEWAY_TEST_CLOCK_H
#define GIVEWAY_TEST_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t gw_now(void);
/* gw_lock_within by the kernel's clock, also while the test's clock stands still. */
int lock_for_real(pthread_mutex_t *lock, uint64_t wait_ns);

void clock_stop(void);

/* Returns once every thread of the gate, in all processes, sleeps and has no reason to wake up. A
 * thread that has come out of a gate counts as awake until it calls clock_leave. Processes that the
 * test has stopped and killed processes do not count. */
void clock_settle(void);
void clock_leave(void);

/* The test stops the process, or lets it go on. Any other stop is a delay of the machine. */
void clock_expect_stop(pid_t process, bool stopped);

/* Returns once so many other threads of this process sleep. The clock does not know a new thread
 * before its first sleep. */
void clock_await_sleepers(int count);

/* Moves the clock by `ns`. At each time at which a thread wakes up, it stops and settles. */
void clock_advance(uint64_t ns);

/* Whether the thread sleeps; how often it has gone to sleep. */
bool clock_sleeps(pid_t thread);
uint64_t clock_sleeps_of(pid_t thread);

#endif
