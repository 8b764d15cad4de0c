/* The limit of a task's device memory: whether an allocation may go ahead, and which device the
 * program sees. */
#ifndef GIVEWAY_GPU_LIMIT_H
#define GIVEWAY_GPU_LIMIT_H

#include <stdbool.h>

#include "giveway_hook.h"
#include "memory.h"

#define GW_OUT_OF_MEMORY 2 /* CUDA_ERROR_OUT_OF_MEMORY, hipErrorOutOfMemory */

struct gw_allocation {
  struct gw_device *device; /* whose task counts the memory; NULL: none does */
  uint64_t bytes;
  uint64_t in_use; /* by the task, when the allocation was counted */
  bool kept;       /* refused: others keep what is left */
  bool counted;
  bool context; /* of a new context, on the device of that number */
  bool node;    /* of a graph, which allocates when it is launched: only looked at here */
  int index;
  struct gw_room_search search;
};

/* Whether the allocation may go ahead: asked before every attempt. Counts it, so that other threads
 * and programs do not get the same bytes. */
bool gw_allocation_admitted(struct gw_allocation *allocation);
/* The allocation has failed for want of memory, of the driver's or of the limit's. Returns whether
 * to try again. */
bool gw_allocation_retried(struct gw_allocation *allocation);
void gw_allocation_made(struct gw_allocation *allocation);
/* The allocation has failed for good. */
void gw_allocation_failed(struct gw_allocation *allocation);
/* It has succeeded, or failed for good. */
void gw_allocation_ended(struct gw_allocation *allocation);

/* What the driver says about the calling thread's device, made to fit what the task may use. */
void gw_show_memory(uint64_t *free, uint64_t *total);
/* The same for the size of a device of that number, ... */
void gw_show_size(int device, uint64_t *total);
/* ... and for a device whose page has that name; its task is joined by nobody here. */
void gw_view_page(const char *name, uint64_t total, uint64_t free, struct gw_memory_view *view);

#endif
