/* Tasks come and go. */
#ifndef GIVEWAY_JOIN_H
#define GIVEWAY_JOIN_H

#include "state.h"

/* At once, unless the device still works for the task. */
void gw_leave_when_idle(struct gw_task *task);

#endif
