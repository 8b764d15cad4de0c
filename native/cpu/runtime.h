/* The OpenMP runtime to which a caller is bound. A process may have several (torch's libgomp, the
 * system's, another wheel's), and a region must reach the runtime whose state its caller uses. */
#ifndef GIVEWAY_CPU_RUNTIME_H
#define GIVEWAY_CPU_RUNTIME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "entry_points.h"

/* Each calling module has one. */
struct runtime {
#define ENTRY(name) void *name;
  GW_CPU_ENTRIES(ENTRY)
#undef ENTRY
  int (*get_level)(void);
  int (*get_max_threads)(void);
  int (*get_num_threads)(void);
  _Atomic uint64_t *spin_count; /* NULL: giveway does not change the spin count */
};

/* The runtime of the module that contains the return address. Never NULL, but its members may be.
 */
const struct runtime *gw_runtime_of(const void *caller);

/* The definition of a symbol to which the module at this address would be bound without giveway;
 * NULL: none. */
void *gw_next_symbol(const void *caller, const char *name);

#endif
