/* Estimates of how long each kind of work keeps the device busy: learned from events. */
#ifndef GIVEWAY_GPU_ESTIMATE_H
#define GIVEWAY_GPU_ESTIMATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_ESTIMATES 4096

/* Written under the lock of the windows that the table belongs to. The way of an open gate reads
 * without it: a torn entry is an estimate of something else, once. */
struct gw_estimate {
  _Atomic uint64_t key; /* 0: free */
  /* Near the shortest time measured, for the window: too much would keep the device idle. 0: not
   * measured yet. */
  _Atomic uint32_t ns;
  /* Near the longest, for stream gates: too much costs a gate of 2 us, too little keeps the urgent
   * program waiting. */
  _Atomic uint32_t longest_ns;
  uint32_t launches; /* on the way of a task that another may outrank */
};

struct gw_estimates {
  struct gw_estimate entries[GW_ESTIMATES];
};

/* The first of the places where the key's entry may be. */
static inline struct gw_estimate *gw_estimate_home(struct gw_estimates *table, uint64_t key) {
  return &table->entries[key / 64 % GW_ESTIMATES];
}

/* The key's entry; NULL: there is none. */
struct gw_estimate *gw_estimate_known(struct gw_estimates *table, uint64_t key);
/* The key's entry; a fresh one, in the place of a rarer key's, where there is none. */
struct gw_estimate *gw_estimate_find(struct gw_estimates *table, uint64_t key);
/* Counts a launch; whether it should be timed. */
bool gw_estimate_wants_time(struct gw_estimate *entry);
/* By which part the estimate has got shorter; 0: it has not. */
double gw_estimate_learn(struct gw_estimates *table, uint64_t key, uint64_t ns);
/* The handle that the key is made of has gone, or stands for other work by now. */
void gw_estimate_forget(struct gw_estimates *table, uint64_t key);
void gw_estimates_clear(struct gw_estimates *table);

#endif
