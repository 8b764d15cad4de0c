#include "slack.h"

#include <math.h>
#include <string.h>

#define MS 1e6
/* Blocks, in units. A unit is the time of a few launches, so that their number says something. */
#define UNIT_LEAST_NS (1 * MS)
#define UNIT_MOST_NS (16 * MS)
#define UNIT_LAUNCHES 8
#define EXPLORE_LEAST 0.4
#define EXPLORE_MOST 2.0
#define SPEND_LEAST 2.0 /* a shorter block costs two switches and brings little work */
#define SPEND_MOST 8.0
#define OPEN 16.0  /* together costs less than is tolerated: blocks apart only to compare */
#define CHECK 32.0 /* however short the episodes are, one block apart in so many units together */
#define PAIRS 12   /* fewer show nothing */
#define MEMORY 200 /* pairs after which evidence counts for 1/e */
/* The sum of deviations at which the work must have changed, and the deviation that is allowed for,
 * in standard deviations: on average one false alarm in 900 pairs (Page's test). */
#define CHANGED 5.0
#define ALLOWED 0.5
#define ERRORS 3.0 /* standard errors of a bound */

void gw_slack_init(struct gw_slack *slack, double tolerance) {
  memset(slack, 0, sizeof *slack);
  slack->tolerance = tolerance;
}

static void forget(struct gw_slack *slack) {
  slack->n = slack->nn = slack->a = slack->t = slack->aa = slack->at = slack->tt = 0;
  slack->change = 0;
}

/* ---- evidence ----------------------------------------------------------------------------- */

static double clamp(double value) { return value < 0 ? 0 : value > 1 ? 1 : value; }

/* How many pairs of full weight the evidence is worth. */
static double pairs(const struct gw_slack *slack) {
  return slack->nn > 0 ? slack->n * slack->n / slack->nn : 0;
}

double gw_slack_speed(const struct gw_slack *slack) {
  return slack->a > 0 ? clamp(slack->t / slack->a) : 0;
}

/* The variance of a pair around the ratio. */
static double variance(const struct gw_slack *slack, double count) {
  double ratio = slack->t / slack->a;
  double squares = slack->tt - 2 * ratio * slack->at + ratio * ratio * slack->aa;
  return (squares > 0 ? squares : 0) / slack->n * count / (count - 1);
}

/* The ratio estimator of survey sampling and its standard error (Cochran, Sampling Techniques,
 * chapter 6), times `errors`. The two blocks of a pair share the phase that the work is in, so its
 * changes cancel. */
static double bound(const struct gw_slack *slack, double errors) {
  double count = pairs(slack);
  if (count < PAIRS || slack->a <= 0) {
    return errors < 0 ? 0 : 1;
  }
  double error = sqrt(variance(slack, count) / count) / (slack->a / slack->n);
  return clamp(slack->t / slack->a + errors * error);
}

double gw_slack_least_speed(const struct gw_slack *slack) { return bound(slack, -ERRORS); }

/* The speed together from which on others may always run. */
static double needed(const struct gw_slack *slack) { return 1 / (1 + slack->tolerance); }

static bool is_cheap(const struct gw_slack *slack) {
  return slack->tolerance > 0 && gw_slack_least_speed(slack) >= needed(slack);
}

static bool is_dear(const struct gw_slack *slack) { return bound(slack, ERRORS) < needed(slack); }

/* Whether the work has changed since the evidence said what it says. */
static bool has_changed(struct gw_slack *slack, double apart, double together) {
  bool cheap = is_cheap(slack);
  if (!cheap && !is_dear(slack)) {
    slack->change = 0;
    return false;
  }
  double deviation = sqrt(variance(slack, pairs(slack))) + 1e-3 * slack->a / slack->n;
  double faster = (together - apart * needed(slack)) / deviation;
  slack->change += (cheap ? -faster : faster) - ALLOWED;
  slack->change = slack->change > 0 ? slack->change : 0;
  return slack->change > CHANGED;
}

/* `weight`: the length of the shorter block, in units. */
static void learn(struct gw_slack *slack, double apart, double together, double weight) {
  double keep = 1 - 1.0 / MEMORY;
  if (has_changed(slack, apart, together)) {
    forget(slack);
  }
  slack->n = slack->n * keep + weight;
  slack->nn = slack->nn * keep * keep + weight * weight;
  slack->a = slack->a * keep + weight * apart;
  slack->t = slack->t * keep + weight * together;
  slack->aa = slack->aa * keep + weight * apart * apart;
  slack->at = slack->at * keep + weight * apart * together;
  slack->tt = slack->tt * keep + weight * together * together;
}

/* ---- blocks ------------------------------------------------------------------------------- */

static uint64_t run(struct gw_slack *slack, bool together, double ns, uint64_t now,
                    uint64_t progress) {
  slack->together = together;
  slack->began_ns = now;
  slack->progress_at = progress;
  slack->until_ns = now + (uint64_t)ns;
  return slack->until_ns;
}

static double unit_ns(const struct gw_slack *slack) {
  double rate = slack->n > 0 ? slack->a / slack->n : slack->apart_rate;
  double ns = rate > 0 ? UNIT_LAUNCHES / rate : UNIT_LEAST_NS;
  return ns < UNIT_LEAST_NS ? UNIT_LEAST_NS : ns > UNIT_MOST_NS ? UNIT_MOST_NS : ns;
}

/* How long the others may run now; 0: not worth it yet. Credit is x of the time alone, less the
 * delay; time together earns credit as well, as far as the task gets on. */
static double affordable(const struct gw_slack *slack) {
  double x = slack->tolerance, unit = unit_ns(slack);
  bool check = slack->unchecked_ns > CHECK * unit;
  if (x <= 0 || (check && slack->apart_rate < 0)) {
    return 0;
  }
  if (is_cheap(slack)) { /* a check has to be over before a short episode is */
    return unit * (check ? EXPLORE_MOST : OPEN);
  }
  double credit = x * slack->alone_ns - slack->delay_ns;
  double ns = credit / (1 - gw_slack_least_speed(slack) * (1 + x));
  bool dear = is_dear(slack);
  double least = unit * (dear ? SPEND_LEAST : EXPLORE_LEAST);
  double most = unit * (dear ? SPEND_MOST : EXPLORE_MOST);
  return ns < least ? 0 : ns > most ? most : ns;
}

static uint64_t next(struct gw_slack *slack, uint64_t now, uint64_t progress, bool others) {
  slack->others = others;
  if (!others) { /* together or apart is the same now, and soon may not be */
    return run(slack, is_cheap(slack), unit_ns(slack), now, progress);
  }
  double ns = slack->together ? 0 : affordable(slack);
  return ns > 0 ? run(slack, true, ns, now, progress)
                : run(slack, false, unit_ns(slack), now, progress);
}

/* At first together, where that is known to be cheap: else most short requests would be alone. */
uint64_t gw_slack_begin(struct gw_slack *slack, uint64_t now, uint64_t progress, bool others) {
  slack->alone_ns = slack->delay_ns = 0;
  slack->apart_rate = -1;
  slack->together = false;
  return next(slack, now, progress, others);
}

static void charge(struct gw_slack *slack, uint64_t now) {
  double ns = (double)(now - slack->began_ns);
  double speed = slack->together ? gw_slack_least_speed(slack) : 1;
  slack->unchecked_ns += slack->together ? ns : 0;
  slack->alone_ns += ns * speed;
  slack->delay_ns += ns * (1 - speed);
}

uint64_t gw_slack_step(struct gw_slack *slack, uint64_t now, uint64_t progress, bool others) {
  if (now < slack->until_ns) {
    return slack->until_ns;
  }
  double rate = (double)(progress - slack->progress_at) / (double)(now - slack->began_ns);
  charge(slack, now);
  if (!slack->together) {
    slack->apart_rate = rate;
  } else if (slack->apart_rate >= 0 && slack->others && others) {
    double units = (double)(now - slack->began_ns) / unit_ns(slack);
    learn(slack, slack->apart_rate, rate, units < 1 ? units : 1);
    slack->unchecked_ns = 0;
  }
  return next(slack, now, progress, others);
}

/* A block that the end cuts short shows nothing. */
void gw_slack_end(struct gw_slack *slack, uint64_t now) { charge(slack, now); }
