/* What the process's task uses of the CPU, for other tasks. */
#ifndef GIVEWAY_CPU_USE_H
#define GIVEWAY_CPU_USE_H

#include "giveway_hook.h"

#define GW_ANY_TEAM 65536u /* of a region whose number of threads is unknown */

/* To be called at the begin and at the end of a region of so many threads, by any thread. */
void gw_team_begin(gw_task *task, unsigned threads);
void gw_team_end(unsigned threads);
void gw_use_fork_child(void);
/* The watcher's look. Returns whether the process computes. */
int gw_look_at_use(gw_task *task, uint64_t now, int held);

#endif
