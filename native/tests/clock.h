/* A clock that the test controls. Until clock_stop it is the kernel's; from then on it stands, for
 * the test and all that it forks, and moves when the test says so. Call clock_stop before the first
 * task joins. */
#ifndef GIVEWAY_TEST_CLOCK_H
#define GIVEWAY_TEST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t gw_now(void);

void clock_stop(void);

/* Returns once every thread of the gate, in all processes, has gone to sleep and nothing is left
 * that would wake one. A thread that has come out of a gate counts as awake until it calls
 * clock_leave. Stopped and killed processes are passed over. */
void clock_settle(void);
void clock_leave(void);

/* A thread that was just started is not known before it first sleeps: returns once one of this
 * process, other than the caller, does. */
void clock_await_sleeper(void);

/* Moves from one point at which a thread wants to wake up to the next, and settles at each. */
void clock_advance(uint64_t ns);

/* Whether that thread sleeps, and how often it has gone to sleep. */
bool clock_sleeps(pid_t thread);
uint64_t clock_sleeps_of(pid_t thread);

#endif
