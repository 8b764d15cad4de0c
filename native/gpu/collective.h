/* Collectives: kernels that spin until their counterparts on other devices run. */
#ifndef GIVEWAY_GPU_COLLECTIVE_H
#define GIVEWAY_GPU_COLLECTIVE_H

#include <stdbool.h>

#include "driver.h"

/* Set once a task of this process has joined a job. */
extern _Atomic bool gw_any_job;

/* Whether the kernel is a collective, by its name. `id` as for gw_driver_kernel_name. */
bool gw_is_collective(unsigned id, gw_word kernel);
/* Code is unloaded: another kernel may get the handle of one that has gone. */
void gw_collective_forget(void);

#endif
