/* When libraries are unloaded: what was remembered by address may no longer be what is there. */
#ifndef GIVEWAY_CPU_UNLOAD_H
#define GIVEWAY_CPU_UNLOAD_H

#include <stdatomic.h>
#include <stdint.h>

#define GW_UNLOADING UINT64_C(0xFFFF) /* how many are under way; above, how many have ended */

extern _Atomic uint64_t gw_unloads;

/* Where nothing is unloaded: the calling library itself is what the handle stands for. */
int gw_close_uncounted(void *handle);

void gw_unload_fork_child(void);

#endif
