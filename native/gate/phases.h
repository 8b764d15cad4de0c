/* What is known about the price of time together: for each phase of the work, recognised by the
 * rate of its launches apart, and for all of the work, each beside the same other tasks.
 *
 * A short request shows few pairs of blocks, and its phases share them. So all phases together say
 * what a phase is likely to cost, until its own pairs do. */
#ifndef GIVEWAY_PHASES_H
#define GIVEWAY_PHASES_H

#include "evidence.h"

#define GW_PHASES 8
#define GW_SETS 4

struct gw_phases {
  struct gw_evidence known[GW_PHASES], all[GW_SETS];
  int phase, set; /* now */
  uint64_t uses;
};

/* Finds the phase that fits best, or replaces the least recently used one. The present phase stays
 * as long as it fits: a rate is known by few launches. `beside` identifies the other tasks;
 * a rate below 0 fits any phase. Returns whether the phase stays. */
bool gw_phases_choose(struct gw_phases *phases, uint64_t beside, double rate);
/* Adds a pair, as gw_evidence_add. */
void gw_phases_add(struct gw_phases *phases, double needed, const struct gw_pair *pair);
/* The evidence about the present phase only. */
const struct gw_evidence *gw_phases_now(const struct gw_phases *phases);
/* The least speed together, with confidence, of the present phase. The evidence of all phases
 * stands in for it until its own pairs suffice, or are slower than `needed`. */
double gw_phases_least_speed(const struct gw_phases *phases, double needed);

#endif
