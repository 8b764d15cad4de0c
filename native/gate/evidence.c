#include "evidence.h"

#include <math.h>
#include <string.h>

#define PAIRS 12   /* fewer show nothing */
#define PHASE 2.0  /* a rate apart that differs by this factor is of another phase */
#define NEAR 0.3   /* more than one launch of the few in a block */
#define FAR 3.0    /* so is one that is farther than near by so many standard deviations */
#define MEMORY 200 /* pairs after which evidence counts for 1/e */
/* The sum of deviations at which the work must have changed, and the deviation that is allowed for,
 * in standard deviations: on average one false alarm in 900 pairs (Page's test). */
#define CHANGED 5.0
#define ALLOWED 0.5
#define CHANCE 2.0 /* standard errors by which a covariance differs from 0 by chance */
#define WORST 3.0  /* standard deviations by which a phase costs more than the average */

void gw_evidence_forget(struct gw_evidence *evidence) {
  *evidence = (struct gw_evidence){.beside = evidence->beside, .used = evidence->used};
}

static double apart_in(const struct gw_pair *pair) { return (pair->before + pair->after) / 2; }

static double clamp(double value) { return value < 0 ? 0 : value > 1 ? 1 : value; }

/* How many pairs of full weight the evidence is worth. */
static double pairs(const struct gw_evidence *e) { return e->nn > 0 ? e->n * e->n / e->nn : 0; }

bool gw_evidence_suffices(const struct gw_evidence *e) { return pairs(e) >= PAIRS && e->a > 0; }

double gw_evidence_speed(const struct gw_evidence *e) { return e->a > 0 ? clamp(e->t / e->a) : 0; }

double gw_evidence_rate(const struct gw_evidence *e) { return e->n > 0 ? e->a / e->n : 0; }

double gw_evidence_spread(const struct gw_evidence *e) {
  double mean = gw_evidence_rate(e), square = e->n > 0 ? e->aa / e->n - mean * mean : 0;
  return (square > 0 ? sqrt(square) : 0) + 0.02 * mean;
}

double gw_evidence_distance(const struct gw_evidence *e, double rate) {
  double mean = gw_evidence_rate(e);
  if (mean <= 0 || rate <= 0) {
    return mean <= 0 ? 1 : 0;
  }
  double factor = rate > mean ? rate / mean : mean / rate;
  bool far = pairs(e) >= PAIRS && fabs(rate - mean) > NEAR * mean + FAR * gw_evidence_spread(e);
  return far || factor > PHASE ? 0 : factor;
}

/* The variance of a pair around the ratio. */
static double variance(const struct gw_evidence *e, double count) {
  double ratio = e->t / e->a;
  double squares = e->tt - 2 * ratio * e->at + ratio * ratio * e->aa;
  return (squares > 0 ? squares : 0) / e->n * count / (count - 1);
}

double gw_evidence_noise(const struct gw_evidence *e) {
  double count = pairs(e);
  return count > 1 && e->a > 0 ? sqrt(variance(e, count)) / (e->a / e->n) : 1;
}

/* The ratio estimator of survey sampling and its standard error (Cochran, Sampling Techniques,
 * chapter 6), times `errors`. The two blocks of a pair share the phase that the work is in, so its
 * changes cancel. */
double gw_evidence_bound(const struct gw_evidence *e, double errors) {
  double count = pairs(e);
  if (!gw_evidence_suffices(e)) {
    return errors < 0 ? 0 : 1;
  }
  double error = sqrt(variance(e, count) / count) / (e->a / e->n);
  return clamp(e->t / e->a + errors * error);
}

/* The standard deviation of the price itself: phases that launch at the same rate share their
 * evidence, and work changes. Chance is independent from pair to pair, so the covariance of pairs
 * that follow each other is the variance of the price. It is negative where phases take turns. Two
 * such pairs share the block apart between them, each with half of its weight: the covariance by
 * that comes from the differences between blocks apart. */
static double price_deviation(const struct gw_evidence *e) {
  double mean = gw_evidence_rate(e);
  if (e->followed < 2 || mean <= 0) {
    return 0;
  }
  double ratio = e->t / e->a / mean, shared = ratio * ratio * e->drifts / 8;
  double next = e->products[0] < 0 ? -e->products[0] : e->products[0] - shared;
  double second = fabs(e->products[1]);
  double chance = CHANCE * variance(e, pairs(e)) / (mean * mean * sqrt(e->followed));
  double found = (next > second ? next : second) / e->followed - chance;
  return found > 0 ? sqrt(found) : 0;
}

double gw_evidence_worst(const struct gw_evidence *e) {
  return clamp(gw_evidence_bound(e, -GW_EVIDENCE_ERRORS) - WORST * price_deviation(e));
}

/* How much the price varies is remembered: what has changed may change back. */
static void forget_average(struct gw_evidence *e) {
  struct gw_evidence kept = *e;
  gw_evidence_forget(e);
  e->followed = kept.followed;
  e->drifts = kept.drifts;
  memcpy(e->last, kept.last, sizeof e->last);
  memcpy(e->products, kept.products, sizeof e->products);
}

static void note_deviation(struct gw_evidence *e, double keep, const struct gw_pair *pair) {
  double drift = pair->after - pair->before;
  double deviation = (pair->together - e->t / e->a * apart_in(pair)) / gw_evidence_rate(e);
  e->followed = e->followed * keep + 1;
  e->drifts = e->drifts * keep + drift * drift;
  for (int i = 0; i < 2; i++) {
    e->products[i] = e->products[i] * keep + deviation * e->last[i];
  }
  e->last[1] = e->last[0];
  e->last[0] = deviation;
}

/* Whether the work has changed since the evidence said what it says. */
static bool has_changed(struct gw_evidence *e, double needed, double apart, double together) {
  bool cheap = gw_evidence_bound(e, -GW_EVIDENCE_ERRORS) >= needed;
  if (!cheap && gw_evidence_bound(e, GW_EVIDENCE_ERRORS) >= needed) {
    e->change = 0; /* it says nothing */
    return false;
  }
  double deviation = sqrt(variance(e, pairs(e))) + 1e-3 * e->a / e->n;
  double ratio = e->t / e->a, halfway = (needed - ratio) / 2 * e->a / e->n / deviation;
  if (cheap) {
    e->change += (apart * needed - together) / deviation - ALLOWED;
  } else {
    double allowed = halfway > ALLOWED ? halfway : ALLOWED;
    e->change += (together - apart * ratio) / deviation - allowed;
  }
  e->change = e->change > 0 ? e->change : 0;
  return e->change > CHANGED;
}

void gw_evidence_add(struct gw_evidence *e, double needed, const struct gw_pair *pair) {
  double apart = apart_in(pair), together = pair->together, weight = pair->weight;
  double keep = 1 - 1.0 / MEMORY;
  if (gw_evidence_suffices(e)) {
    note_deviation(e, keep, pair);
  }
  if (has_changed(e, needed, apart, together)) {
    forget_average(e);
  }
  e->n = e->n * keep + weight;
  e->nn = e->nn * keep * keep + weight * weight;
  e->a = e->a * keep + weight * apart;
  e->t = e->t * keep + weight * together;
  e->aa = e->aa * keep + weight * apart * apart;
  e->at = e->at * keep + weight * apart * together;
  e->tt = e->tt * keep + weight * together * together;
}
