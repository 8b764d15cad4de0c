/* A task's wait at its closed gate. */
#ifndef GIVEWAY_WAIT_H
#define GIVEWAY_WAIT_H

#include "state.h"

/* Whether the seat is the task's, its gate is closed, and may hold the task's launches. */
bool gw_is_held(const struct gw_task *task, struct gw_seat seat);
/* The periodic check of a held task: checks that its holders are alive, and grants the task a turn
 * when one is due. Returns how long to sleep before the next check; 0: the task is not held, or no
 * longer. `waited`: the last sleep has lasted for its full time. */
uint64_t gw_check_hold(struct gw_task *task, struct gw_seat seat, uint64_t now, bool waited);
/* Sleeps until the time is up, or the seat's gate is not `gate` any more. 0 or an errno. */
int gw_sleep_at_gate(struct gw_seat seat, uint32_t gate, uint64_t timeout_ns);
/* Sleeps until the gate opens, or may be passed. */
void gw_wait_at_gate(struct gw_task *task);
/* The same in a signal handler. */
void gw_pause_task(struct gw_task *task);

#endif
