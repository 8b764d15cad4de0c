/* Slack: how much of the device a tolerant task lets others have while it works.
 *
 * A task that tolerates a slowdown of x gets this promise: at no point of an episode, from idle to
 * idle, have others delayed it by more than x of what its work would have taken alone. Time with
 * others costs 1 - s of its length, where s is the task's speed together over its speed apart. The
 * speed is measured: blocks together and blocks apart alternate, and each block together is
 * compared with the block apart before it. Until enough is known, time together is taken to cost
 * all of its length.
 *
 * No clock, no lock and no memory of its own: `now` and the progress are passed in. */
#ifndef GIVEWAY_SLACK_H
#define GIVEWAY_SLACK_H

#include <stdbool.h>
#include <stdint.h>

struct gw_slack {
  double tolerance; /* x: 0.1 for 10 %; 0: never together */
  bool together;    /* what the task wants now */
  bool others;      /* when the block began, other tasks had work */

  /* The episode so far: what it would have taken alone, and by how much others delayed it. */
  double alone_ns, delay_ns;

  /* The block that runs. */
  uint64_t began_ns, progress_at;
  uint64_t until_ns;
  double apart_rate;   /* of the last block apart; below 0: there was none in this episode */
  double unchecked_ns; /* time together since the last pair */

  /* Evidence: weighted sums over pairs of blocks, of rates apart (a) and together (t). */
  double n, nn, a, t, aa, at, tt;
  double change; /* how clearly the last pairs contradict the evidence */
};

void gw_slack_init(struct gw_slack *slack, double tolerance);
/* An episode begins; returns when to call gw_slack_step. `progress` counts work that is done: it
 * only grows. `others`: whether other tasks have work now, running or held; without any, a block
 * shows nothing. */
uint64_t gw_slack_begin(struct gw_slack *slack, uint64_t now, uint64_t progress, bool others);
/* Sets `together`, and returns when to call this function again. A late call is no harm. */
uint64_t gw_slack_step(struct gw_slack *slack, uint64_t now, uint64_t progress, bool others);
/* The episode is over. */
void gw_slack_end(struct gw_slack *slack, uint64_t now);
/* The speed together, of that apart: the estimate, and what it is at least, with confidence. */
double gw_slack_speed(const struct gw_slack *slack);
double gw_slack_least_speed(const struct gw_slack *slack);

#endif
