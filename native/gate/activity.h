/* Idle to active, and back. */
#ifndef GIVEWAY_ACTIVITY_H
#define GIVEWAY_ACTIVITY_H

#include "state.h"

/* Makes the task active, if the page's lock can be had. */
void gw_activate(struct gw_task *task);
/* Makes the task idle, unless it has more launches than `launches`. Returns whether it is idle. */
bool gw_deactivate(struct gw_task *task, uint64_t launches);

#endif
