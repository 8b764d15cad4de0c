/* Wakes the watcher of this process. */
#ifndef GIVEWAY_WAKE_H
#define GIVEWAY_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gw_wake {
  _Atomic uint32_t word; /* the watcher's futex word; counts */
  _Atomic bool asleep;   /* the watcher sleeps without a time limit, or is about to */
};
extern struct gw_wake gw_wake;

/* Where the watcher sleeps without a time limit: a task has become active. Otherwise the watcher
 * looks within linger by itself. */
void gw_wake_idle_watcher(void);
/* In any case: a quantum has begun. */
void gw_wake_watcher(void);

#endif
