/* Device memory: what a task uses, and whether an allocation may go ahead. No function here takes
 * the page's lock. */
#ifndef GIVEWAY_MEMORY_H
#define GIVEWAY_MEMORY_H

#include "state.h"

/* Under the page's lock: copies to a new row of the task what the task has. */
void gw_memory_fill(struct gw_row *row, const struct gw_task *task);

#endif
