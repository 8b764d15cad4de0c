#include "estimate.h"

#define PROBES 4
#define TIMED_AT_FIRST 3
/* Two events for that many launches, each about a third of a launch: under 1 % of their time. */
#define TIMED_EVERY 128

#define READ(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define WRITE(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)

static struct gw_estimate *place(struct gw_estimates *table, uint64_t key, unsigned i) {
  return &table->entries[(key / 64 + i) % GW_ESTIMATES];
}

struct gw_estimate *gw_estimate_known(struct gw_estimates *table, uint64_t key) {
  for (unsigned i = 0; i < PROBES; i++) {
    if (READ(place(table, key, i)->key) == key) {
      return place(table, key, i);
    }
  }
  return NULL;
}

static void reset(struct gw_estimate *entry, uint64_t key) {
  WRITE(entry->ns, 0); /* first: no reader is to find the new key with the time of the old one */
  WRITE(entry->longest_ns, 0);
  entry->launches = 0;
  WRITE(entry->key, key);
}

struct gw_estimate *gw_estimate_find(struct gw_estimates *table, uint64_t key) {
  struct gw_estimate *entry = gw_estimate_known(table, key);
  if (entry != NULL) {
    return entry;
  }
  struct gw_estimate *rarest = place(table, key, 0);
  for (unsigned i = 1; i < PROBES; i++) {
    entry = place(table, key, i);
    rarest = entry->launches < rarest->launches ? entry : rarest;
  }
  reset(rarest, key);
  return rarest;
}

bool gw_estimate_wants_time(struct gw_estimate *entry) {
  return ++entry->launches <= TIMED_AT_FIRST || entry->launches % TIMED_EVERY == 0;
}

/* Moves a quarter of the way, so that one odd measurement does not count for long. */
static uint32_t towards(uint32_t from, uint32_t to) {
  return to > from ? from + (to - from) / 4 : from - (from - to) / 4;
}

/* Time slices of other processes, module loading and gaps between launches only ever make a
 * measurement longer, so the shortest one is near the work itself. But work of one kind may differ
 * in length (a matrix product has the same grid for any inner dimension), so the longest one counts
 * too. */
double gw_estimate_learn(struct gw_estimates *table, uint64_t key, uint64_t ns) {
  struct gw_estimate *entry = gw_estimate_find(table, key);
  uint32_t measured = ns == 0 ? 1 : ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
  uint32_t shortest = READ(entry->ns), longest = READ(entry->longest_ns);
  bool first = shortest == 0;
  WRITE(entry->longest_ns, first || measured > longest ? measured : towards(longest, measured));
  bool shorter = !first && measured < shortest;
  WRITE(entry->ns, first || shorter ? measured : towards(shortest, measured));
  return shorter ? 1 - (double)measured / shortest : 0;
}

void gw_estimate_forget(struct gw_estimates *table, uint64_t key) {
  struct gw_estimate *entry = gw_estimate_known(table, key);
  if (entry != NULL) {
    reset(entry, key);
  }
}

void gw_estimates_clear(struct gw_estimates *table) {
  for (unsigned i = 0; i < GW_ESTIMATES; i++) {
    if (READ(table->entries[i].key) != 0) {
      reset(&table->entries[i], 0);
    }
  }
}
