/* Parks the process through the driver's checkpoint calls, where the driver has them. */
#ifndef GIVEWAY_GPU_PARK_H
#define GIVEWAY_GPU_PARK_H

/* Before the process joins its first page. */
void gw_park_prepare(void);

#endif
