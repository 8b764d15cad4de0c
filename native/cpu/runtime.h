/* The OpenMP runtime that one caller is bound to. A process may hold several (torch's own libgomp,
 * the system's, another wheel's), and a region must reach the one whose state its caller uses. */
#ifndef GIVEWAY_CPU_RUNTIME_H
#define GIVEWAY_CPU_RUNTIME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "entry_points.h"

/* One per module that calls in. */
struct runtime {
#define ENTRY(name) void *name;
  GW_CPU_ENTRIES(ENTRY)
#undef ENTRY
  int (*get_level)(void);
  int (*get_max_threads)(void);
  _Atomic uint64_t *spin_count; /* NULL: not ours to change */
};

/* For the module that the return address lies in; never NULL, but its members may be. */
const struct runtime *gw_runtime_of(const void *caller);

/* The first definition of a symbol that the module at this address would have been bound to without
 * us; NULL if there is none. */
void *gw_next_symbol(const void *caller, const char *name);

#endif
