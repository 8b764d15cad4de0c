#include "sparse.h"

#define READ(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define WRITE(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)

bool gw_sparse_passes_slowly(struct gw_sparse *sparse, struct gw_estimates *table, uint64_t key) {
  struct gw_estimate *entry = gw_estimate_known(table, key);
  return entry != NULL && gw_sparse_take(sparse, READ(entry->longest_ns));
}

struct gw_sparse_taken gw_sparse_end(struct gw_sparse *sparse) {
  if (sparse->from == 0) {
    return (struct gw_sparse_taken){0};
  }
  uint64_t left = READ(sparse->left);
  struct gw_sparse_taken taken = {.ns = sparse->from > left ? sparse->from - left : 0,
                                  .launches = READ(sparse->launches)};
  gw_sparse_begin(sparse, 0, 0);
  return taken;
}

void gw_sparse_begin(struct gw_sparse *sparse, uint64_t ns, gw_word stream) {
  sparse->from = ns;
  WRITE(sparse->stream, stream);
  WRITE(sparse->launches, 0);
  WRITE(sparse->left, ns);
}
