#include "estimate.h"

#include <stddef.h>

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

/* Time slices of other processes, module loading and gaps between launches only ever make a
 * measurement longer, so a shorter one counts at once and a longer one slowly. */
void gw_estimate_learn(struct gw_estimates *table, uint64_t key, uint64_t ns) {
  struct gw_estimate *entry = gw_estimate_find(table, key);
  uint32_t measured = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
  if (entry->ns == 0 || measured < entry->ns) {
    entry->ns = measured > 0 ? measured : 1;
  } else {
    entry->ns += (measured - entry->ns) / 4;
  }
}
