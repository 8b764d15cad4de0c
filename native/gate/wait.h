/* What happens at a closed gate. */
#ifndef GIVEWAY_WAIT_H
#define GIVEWAY_WAIT_H

#include "state.h"

/* Whether the task's gate is closed, and may hold its launches. */
bool gw_is_held(const struct gw_task *task);
/* What a held task needs now and then: checks that those that hold it are alive, and grants it a
 * quantum when one is due. How long to sleep before the next time; 0: the task is not held (any
 * more). `waited`: the last sleep has lasted for as long as it was to. */
uint64_t gw_check_hold(struct gw_task *task, uint64_t now, bool waited);
/* Sleeps until the gate opens, or may be passed. */
void gw_wait_at_gate(struct gw_task *task);
/* The same in a signal handler. */
void gw_pause_task(struct gw_task *task);

#endif
