/* Which device memory this process has: what it allocates, by address or handle, until it frees it.
 * Virtual memory management gives handles, whose memory lives as long as the handle or one of its
 * mappings. Memory of other processes that is opened here (IPC) is not in these books. */
#ifndef GIVEWAY_GPU_MEMORY_H
#define GIVEWAY_GPU_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "driver.h"

enum gw_memory_kind {
  GW_MEMORY_NONE,
  GW_MEMORY_ADDRESS,
  GW_MEMORY_ARRAY,
  GW_MEMORY_HANDLE,
  GW_MEMORY_MAPPING,
};

struct gw_memory {
  gw_word key;              /* the address, or the handle */
  struct gw_device *device; /* NULL: no task counts it */
  gw_word of;               /* of an address or an array: its context; of a mapping: its handle */
  uint64_t bytes;
  enum gw_memory_kind kind;
  unsigned references; /* of a handle: itself and its mappings */
};

/* Where this process runs out of memory itself, the memory stays counted. */
void gw_memory_add(const struct gw_memory *memory);
/* Takes it out before a call that frees it: then another thread may get the same address. Of the
 * kind GW_MEMORY_NONE: unknown, or a handle that still has references. */
struct gw_memory gw_memory_remove(enum gw_memory_kind kind, gw_word key);
/* The call has failed. */
void gw_memory_put_back(enum gw_memory_kind kind, gw_word key, const struct gw_memory *removed);
/* The call has worked: the task has the bytes no longer. */
void gw_memory_freed(const struct gw_memory *removed);

void gw_memory_retain(gw_word handle);
void gw_memory_map(gw_word address, uint64_t bytes, gw_word handle);
void gw_memory_unmap(gw_word address, uint64_t bytes);
/* The task has other bytes than before that no call names. */
void gw_memory_change(struct gw_device *device, uint64_t before, uint64_t now);
/* The context is gone, and its memory with it. */
void gw_memory_forget_context(gw_word context);

/* Of the whole process, on all devices, where gw_memory_sum was called before all else. */
void gw_memory_sum(void);
struct gw_memory_totals {
  uint64_t allocated, freed, peak;
};
struct gw_memory_totals gw_memory_totals(void);

#endif
