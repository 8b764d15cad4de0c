/* Launches of a task that no other task outranks. They do not wait, take no lock and call no
 * driver. But a more urgent task may come, and then the device should stop soon: so now and then
 * one launch goes the other way, and gets a stream gate in front of it or a fence behind it. */
#ifndef GIVEWAY_GPU_SPARSE_H
#define GIVEWAY_GPU_SPARSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "estimate.h"

/* The device time between two gates. One takes 2 us, which is 0.02 % of it. */
#define GW_SPARSE_NS UINT64_C(10000000)
/* The launches between two gates, however short they are thought to be. */
#define GW_SPARSE_LAUNCHES 1024

/* Threads that launch at the same moment may overwrite each other's changes: then a gate comes a
 * little later. */
struct gw_sparse {
  _Alignas(64) _Atomic uint64_t left; /* nanoseconds until the next gate; 0: the next launch */
  _Atomic uint64_t launches;          /* since the last gate */
  _Atomic gw_word stream;             /* the only one; 0: any */
  uint64_t from;                      /* what was left after the last gate; under the lock */
};

/* For work whose time is not measured yet. */
bool gw_sparse_passes_slowly(struct gw_sparse *sparse, struct gw_estimates *table, uint64_t key);

/* What a launch takes from the time that is left. */
static inline uint64_t gw_sparse_charge(uint32_t ns) {
  const uint32_t least = GW_SPARSE_NS / GW_SPARSE_LAUNCHES;
  return ns > least ? ns : least;
}

static inline bool gw_sparse_take(struct gw_sparse *sparse, uint32_t ns) {
  uint64_t left = atomic_load_explicit(&sparse->left, memory_order_relaxed);
  uint64_t charge = gw_sparse_charge(ns);
  if (__builtin_expect(ns == 0 || charge > left, 0)) {
    return false;
  }
  uint64_t launches = atomic_load_explicit(&sparse->launches, memory_order_relaxed);
  atomic_store_explicit(&sparse->left, left - charge, memory_order_relaxed);
  atomic_store_explicit(&sparse->launches, launches + 1, memory_order_relaxed);
  return true;
}

/* Whether the launch goes without a gate and without a fence. */
static inline bool gw_sparse_passes(struct gw_sparse *sparse, struct gw_estimates *table,
                                    uint64_t key, gw_word stream) {
  gw_word only = atomic_load_explicit(&sparse->stream, memory_order_relaxed);
  if (__builtin_expect(only != stream && only != 0, 0)) {
    return false;
  }
  struct gw_estimate *entry = gw_estimate_home(table, key);
  if (__builtin_expect(atomic_load_explicit(&entry->key, memory_order_relaxed) != key, 0)) {
    return gw_sparse_passes_slowly(sparse, table, key);
  }
  return gw_sparse_take(sparse, atomic_load_explicit(&entry->longest_ns, memory_order_relaxed));
}

/* What has been launched since the last gate; the next launch goes the other way, or may again take
 * that much time. Under the lock of the windows. */
struct gw_sparse_taken {
  uint64_t ns, launches;
};
struct gw_sparse_taken gw_sparse_end(struct gw_sparse *sparse);
void gw_sparse_begin(struct gw_sparse *sparse, uint64_t ns, gw_word stream);

#endif
