/* The watcher's part in work that waits on its device. */
#ifndef GIVEWAY_STREAM_GATE_H
#define GIVEWAY_STREAM_GATE_H

#include "state.h"

/* gw_check_hold for a task whose device holds its work; 0: nothing is held. */
uint64_t gw_check_stream_hold(struct gw_task *task, uint64_t now);
/* The task's row is another task's by now, or nonsense: where the page is damaged, lets the device
 * go on. */
void gw_release_lost(struct gw_task *task);

#endif
