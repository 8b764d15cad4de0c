/* Parks the process through the driver's checkpoint calls, where the driver has them. */
#ifndef GIVEWAY_GPU_PARK_H
#define GIVEWAY_GPU_PARK_H

#include <stdatomic.h>
#include <stdint.h>

#include "driver.h"
#include "giveway_hook.h"

/* Before the process joins its first page. */
void gw_park_prepare(void);
/* Under one lock: the process uses another device. There stands one of its contexts; 0: unknown. */
void gw_park_uses(const gw_page *page, const _Atomic gw_word *context);
/* From now on the program has something that the driver cannot move: an enum gw_park_error. */
void gw_park_forbid(uint32_t why);

#endif
