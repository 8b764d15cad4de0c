/* Counts the calls by which a program uses its device. Always, for a thread adds to thread-local
 * numbers, which costs a load and an addition. Traces cost more: GIVEWAY_TRACE asks for them. */
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
  GW_EVENTS,  /* recorded, and waits of streams for events */
  GW_QUERIES, /* of streams and events */
  GW_OTHER,
  GW_FAILURES,
  GW_STREAM_GATES, /* put on streams by the shim, not by the program */
  GW_SYNC_NS,      /* while tracing only */
  GW_COUNTED,
};

struct gw_counts {
  _Atomic uint64_t of[GW_COUNTED]; /* written by one thread at a time */
  struct gw_counts *next;
  bool free; /* its thread has ended: the next new thread takes the counts over */
};

/* The shims are preloaded, so there is room for it in the static TLS block. */
extern _Thread_local struct gw_counts *gw_own_counts __attribute__((tls_model("initial-exec")));
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
