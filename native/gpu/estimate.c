#include "estimate.h"

#include <stddef.h>
#include <string.h>

#define PROBES 4
#define TIMED_AT_FIRST 3
/* Two events for that many launches, each about a third of a launch: under 1 % of their time. */
#define TIMED_EVERY 128

struct gw_estimate *gw_estimate_find(struct gw_estimates *table, uint64_t key) {
  struct gw_estimate *rarest = NULL;
  for (unsigned i = 0; i < PROBES; i++) {
    struct gw_estimate *entry = &table->entries[(key / 64 + i) % GW_ESTIMATES];
    if (entry->key == key) {
      return entry;
    }
    if (rarest == NULL || entry->launches < rarest->launches) {
      rarest = entry;
    }
  }
  *rarest = (struct gw_estimate){.key = key};
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
void gw_estimate_learn(struct gw_estimates *table, uint64_t key, uint64_t ns) {
  struct gw_estimate *entry = gw_estimate_find(table, key);
  uint32_t measured = ns == 0 ? 1 : ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
  bool first = entry->ns == 0;
  entry->ns = first || measured < entry->ns ? measured : towards(entry->ns, measured);
  entry->longest_ns =
      first || measured > entry->longest_ns ? measured : towards(entry->longest_ns, measured);
}

void gw_estimate_forget(struct gw_estimates *table, uint64_t key) {
  struct gw_estimate *entry = gw_estimate_find(table, key);
  *entry = (struct gw_estimate){.key = key};
}

void gw_estimates_clear(struct gw_estimates *table) { memset(table, 0, sizeof *table); }
