/* Parks the process through the driver's checkpoint calls, where the driver has them. */
#ifndef GIVEWAY_GPU_PARK_H
#define GIVEWAY_GPU_PARK_H

#include <stdint.h>

#include "driver.h"

/* Before the process joins its first page. */
void gw_park_prepare(void);
/* The process uses another device, through that context. */
void gw_park_uses(gw_word context);
/* From now on the program has something that the driver cannot move: an enum gw_park_error. */
void gw_park_forbid(uint32_t why);

#endif
