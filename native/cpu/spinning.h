/* The time for which libgomp's idle workers spin before they sleep. */
#ifndef GIVEWAY_CPU_SPINNING_H
#define GIVEWAY_CPU_SPINNING_H

#include <stdint.h>

#include "giveway_hook.h"

/* The address of the spin count of the runtime that contains this function. NULL where no value is
 * the one that `giveway run` or gw_adapt_spinning has set: the user has set another one, or the
 * runtime is not libgomp. */
_Atomic uint64_t *gw_find_spin_count(const void *function);

/* Updates the spin count: long while the task is alone on its device, else short. count may be
 * NULL. */
void gw_adapt_spinning(_Atomic uint64_t *count, const gw_task *task);

#endif
