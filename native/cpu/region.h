/* One launch on the cpu device: an outermost parallel region. */
#ifndef GIVEWAY_CPU_REGION_H
#define GIVEWAY_CPU_REGION_H

#include "giveway_hook.h"
#include "runtime.h"

#define GW_CPU_DEVICE "cpu"

/* The number of regions, opened through hooks, that the calling thread is inside. */
extern _Thread_local unsigned gw_region_depth;

/* Begins a launch and returns its task; NULL inside another region, or where the thread runs
 * ungated. The caller passes the result to the matching gw_region_end. */
gw_task *gw_region_begin(const struct runtime *runtime);
void gw_region_end(gw_task *task);
/* The same for a region whose threads giveway does not know, and so cannot stop. */
gw_task *gw_region_begin_unstoppable(const struct runtime *runtime);
void gw_region_end_unstoppable(gw_task *task);

#endif
