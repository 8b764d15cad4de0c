/* Spends the slack of a task that tolerates a slowdown: opens and closes the gates of less urgent
 * tasks while this one works. Only the watcher's thread calls these functions. */
#ifndef GIVEWAY_SPEND_H
#define GIVEWAY_SPEND_H

#include "state.h"

/* The task is active. Returns when to call this function again; UINT64_MAX: it tolerates nothing.
 */
uint64_t gw_spend(struct gw_task *task, uint64_t now);
/* The task has become idle. */
void gw_spend_end(struct gw_task *task, uint64_t now);

#endif
