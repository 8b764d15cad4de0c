/* What time together costs a task beside the same other tasks: weighted sums over pairs of blocks,
 * of the rates of progress apart (a) and together (t). */
#ifndef GIVEWAY_EVIDENCE_H
#define GIVEWAY_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

struct gw_evidence {
  uint64_t beside; /* identifies the other tasks */
  uint64_t used;   /* when it was last used, as a count */
  double n, nn, a, t, aa, at, tt;
  double change; /* how clearly the last pairs contradict the rest */
  /* The deviations of the last two pairs from the average, and the sums of the products of pairs
   * that follow each other, or the second after; and their number. */
  double last[2], products[2], followed;
  double drifts; /* the sum of the squared differences between the blocks apart of a pair */
};

/* The rates of progress in a block together, and in the blocks apart before it and after it. */
struct gw_pair {
  double before, after, together;
  double weight; /* the length of the shortest block, in units */
};

/* Forgets everything, except what it is about. */
void gw_evidence_forget(struct gw_evidence *evidence);
/* Adds a pair. `needed`: the speed together from which on others may always run. */
void gw_evidence_add(struct gw_evidence *evidence, double needed, const struct gw_pair *pair);
/* The speed together, of that apart: the estimate, and with so many standard errors more. */
double gw_evidence_speed(const struct gw_evidence *evidence);
double gw_evidence_bound(const struct gw_evidence *evidence, double errors);
/* The least speed together, with confidence, of any work that shares the evidence: the price varies
 * where phases launch at the same rate. */
double gw_evidence_worst(const struct gw_evidence *evidence);
/* The rate in blocks apart, of one unit each: the mean, and the standard deviation. */
double gw_evidence_rate(const struct gw_evidence *evidence);
double gw_evidence_spread(const struct gw_evidence *evidence);
/* Whether there are enough pairs for an estimate. */
bool gw_evidence_suffices(const struct gw_evidence *evidence);
/* How far a rate apart is from the mean, as a factor of at least 1; 0: too far for the same phase.
 */
double gw_evidence_distance(const struct gw_evidence *evidence, double rate);
/* The standard deviation of the speed that one pair shows. */
double gw_evidence_noise(const struct gw_evidence *evidence);

#define GW_EVIDENCE_ERRORS 3.0 /* standard errors of a bound */

#endif
