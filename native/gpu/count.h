/* Counts what a program asks of its device. Always: a thread adds to numbers of its own, which
 * costs it a load and an addition. What costs more is traced, which is asked for by GIVEWAY_TRACE.
 */
#ifndef GIVEWAY_GPU_COUNT_H
#define GIVEWAY_GPU_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver.h"

/* In the order of the names in trace.c. */
enum gw_counted {
  GW_LAUNCHES,        /* kernels, except ... */
  GW_LEGACY_LAUNCHES, /* ... those on the NULL (legacy default) stream */
  GW_GRAPH_LAUNCHES,
  GW_COPIES,
  GW_MEMSETS,
  GW_ALLOCATIONS,
  GW_FREES,
  GW_HOST_ALLOCATIONS,
  GW_HOST_FREES,
  GW_SYNCS,
  GW_EVENTS,  /* recorded, and streams told to wait for them */
  GW_QUERIES, /* of streams and events */
  GW_OTHER,
  GW_FAILURES,
  GW_STREAM_GATES, /* of ours, not the program's */
  GW_SYNC_NS,      /* while tracing only */
  GW_COUNTED,
};

struct gw_counts {
  _Atomic uint64_t of[GW_COUNTED]; /* written by one thread at a time */
  struct gw_counts *next;
  bool free; /* its thread has ended: the next one goes on with it */
};

extern _Thread_local struct gw_counts *gw_own_counts;
struct gw_counts *gw_counts_take(void);

static inline void gw_count(enum gw_counted what, uint64_t n) {
  struct gw_counts *counts = gw_own_counts;
  if (__builtin_expect(counts == NULL, 0)) {
    counts = gw_counts_take();
  }
  uint64_t now = atomic_load_explicit(&counts->of[what], memory_order_relaxed);
  atomic_store_explicit(&counts->of[what], now + n, memory_order_relaxed);
}

/* The sum over all threads. */
void gw_counts_sum(uint64_t of[GW_COUNTED]);

#endif
