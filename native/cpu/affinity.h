/* The cores on which this process may run. */
#ifndef GIVEWAY_CPU_AFFINITY_H
#define GIVEWAY_CPU_AFFINITY_H

#include <sched.h>
#include <stdint.h>

#include "giveway_hook.h"

/* The cores of all threads of the process but the calling one. */
void gw_read_cores(uint64_t *cores);
/* Keeps only the CPUs that belong to these cores. A signal handler may call this function. */
void gw_keep_cores(cpu_set_t *cpus, const uint64_t *cores);

#endif
