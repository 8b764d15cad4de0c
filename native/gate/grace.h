/* The grace period: time in which a program that was told to end may wind up. */
#ifndef GIVEWAY_GRACE_H
#define GIVEWAY_GRACE_H

#include "state.h"

/* Under gw_process.lock: arranges that this process notices signals that ask it to end. Handlers
 * that the program installs later are found by the next call. */
void gw_grace_watch(void);
/* Whether it was told to end, and has its grace period. */
bool gw_grace_is_on(void);
/* Under gw_process.lock: begins or ends the task's grace period. */
void gw_grace_update(struct gw_task *task, uint64_t now);

#endif
