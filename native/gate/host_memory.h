/* How many bytes of host memory this process may still take: what the machine has, or what the user
 * states in its place, and what the process's control groups leave. */
#ifndef GIVEWAY_HOST_MEMORY_H
#define GIVEWAY_HOST_MEMORY_H

#include <stdint.h>

uint64_t gw_host_memory(void);

#endif
