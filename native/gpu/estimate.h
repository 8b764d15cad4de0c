/* How long each kind of launch keeps the device busy: learned, forgetful, never exact. */
#ifndef GIVEWAY_GPU_ESTIMATE_H
#define GIVEWAY_GPU_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#define GW_ESTIMATES 4096

struct gw_estimate {
  uint64_t key; /* 0: free */
  uint32_t ns;
  uint32_t launches;
};

struct gw_estimates {
  struct gw_estimate entries[GW_ESTIMATES];
};

/* What is known of the key; a fresh entry, in the place of a rarer one, where that is nothing. */
struct gw_estimate *gw_estimate_find(struct gw_estimates *table, uint64_t key);
/* Counts a launch, and says whether it should be timed. */
bool gw_estimate_wants_time(struct gw_estimate *entry);
void gw_estimate_learn(struct gw_estimates *table, uint64_t key, uint64_t ns);

#endif
