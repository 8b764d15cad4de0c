/* Counts unloads of libraries: after an unload, another library may have the same addresses. */
#ifndef GIVEWAY_CPU_UNLOAD_H
#define GIVEWAY_CPU_UNLOAD_H

#include <stdatomic.h>
#include <stdint.h>

#define GW_UNLOADING UINT64_C(0xFFFF)

/* The low bits, GW_UNLOADING, count the calls under way; the bits above count the calls that have
 * ended. */
extern _Atomic uint64_t gw_unloads;

/* dlclose without counting, for a handle of a library that stays loaded. */
int gw_close_uncounted(void *handle);

void gw_unload_fork_child(void);

#endif
