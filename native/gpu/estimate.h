/* Estimates of how long each kind of launch keeps the device busy: learned from events. */
#ifndef GIVEWAY_GPU_ESTIMATE_H
#define GIVEWAY_GPU_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#define GW_ESTIMATES 4096

struct gw_estimate {
  uint64_t key; /* 0: free */
  /* Near the shortest time measured, for the window: too much would keep the device idle. */
  uint32_t ns;
  /* Near the longest, for stream gates: too much costs a gate of 2 us, too little keeps the urgent
   * program waiting. */
  uint32_t longest_ns;
  uint32_t launches;
};

struct gw_estimates {
  struct gw_estimate entries[GW_ESTIMATES];
};

/* The key's entry; a fresh one, in the place of a rarer key's, where there is none. */
struct gw_estimate *gw_estimate_find(struct gw_estimates *table, uint64_t key);
/* Counts a launch; whether it should be timed. */
bool gw_estimate_wants_time(struct gw_estimate *entry);
void gw_estimate_learn(struct gw_estimates *table, uint64_t key, uint64_t ns);
/* The handle that the key is made of has gone, or stands for other work by now. */
void gw_estimate_forget(struct gw_estimates *table, uint64_t key);
void gw_estimates_clear(struct gw_estimates *table);

#endif
