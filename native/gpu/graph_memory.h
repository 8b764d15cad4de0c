/* Memory that graphs allocate belongs to a pool of the device, which the driver fills when a graph
 * is launched and keeps afterwards. The task counts what the driver says that the pool has. */
#ifndef GIVEWAY_GPU_GRAPH_MEMORY_H
#define GIVEWAY_GPU_GRAPH_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "driver.h"
#include "limit.h"

/* A graph of this process has a node that allocates. */
extern _Atomic bool gw_graphs_allocate;

/* The allocation that a node would make, from what describes the node: of an allocation, or of any
 * kind (cuGraphAddNode). */
struct gw_allocation gw_graph_allocation(gw_word node);
struct gw_allocation gw_graph_allocation_of_any(gw_word node);

/* After a call that may change what the pools of the devices have. */
void gw_graph_memory_update(void);

#endif
