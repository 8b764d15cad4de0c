/* One launch on the cpu device: an outermost parallel region. */
#ifndef GIVEWAY_CPU_REGION_H
#define GIVEWAY_CPU_REGION_H

#include "giveway_hook.h"
#include "runtime.h"

#define GW_CPU_DEVICE "cpu"

/* Regions that the calling thread is inside of, as opened through a hook. */
extern _Thread_local unsigned gw_region_depth;

/* The task whose launch begins here; NULL inside another region, or ungated. Every call is matched
 * by one of gw_region_end with what this one gave. */
gw_task *gw_region_begin(const struct runtime *runtime);
void gw_region_end(gw_task *task);

#endif
