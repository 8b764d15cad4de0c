/* The report that a process writes under GIVEWAY_TRACE. All under gw_process.lock. */
#ifndef GIVEWAY_TRACE_H
#define GIVEWAY_TRACE_H

#include "state.h"

/* The task is about to leave: its numbers are kept. */
void gw_trace_keep(struct gw_task *task);
/* At exit, after all tasks have left. */
void gw_trace_write(void);

#endif
