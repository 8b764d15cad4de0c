/* Whether the threads of a task compute, where the task's work is done by threads. */
#ifndef GIVEWAY_COMPUTE_H
#define GIVEWAY_COMPUTE_H

#include "state.h"

/* Whether the gate of the task stops every thread of its process. */
bool gw_stops_process(const struct gw_task *task);
/* The watcher's look at an active task. False: the task is idle by now, because its threads all
 * wait for something. */
bool gw_look_at_active(struct gw_task *task, uint64_t now);
/* The watcher's look at an idle task, which is active again where its threads compute. False: no
 * further look is needed until a launch makes the task active. */
bool gw_look_at_idle(struct gw_task *task, uint64_t now);

#endif
