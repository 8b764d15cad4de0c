/* For how long libgomp's idle workers spin before they sleep. */
#ifndef GIVEWAY_CPU_SPINNING_H
#define GIVEWAY_CPU_SPINNING_H

#include <stdint.h>

#include "giveway_hook.h"

/* Where the runtime that this function belongs to keeps its spin count; NULL where it has none that
 * is as `giveway run` or gw_adapt_spinning set it, because the user decides or it is not libgomp.
 */
_Atomic uint64_t *gw_find_spin_count(const void *function);

/* Long while the task has its device to itself, short in company; count may be NULL. */
void gw_adapt_spinning(_Atomic uint64_t *count, const gw_task *task);

#endif
