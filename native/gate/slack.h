/* Slack: how much of the device a tolerant task lets others have while it works.
 *
 * A task that tolerates a slowdown of x gets this promise: at no point of an episode, from idle to
 * idle, have others delayed it by more than x of what its work would have taken alone. Time with
 * others costs 1 - s of its length, where s is the task's speed together over its speed apart. The
 * speed is measured: blocks together and blocks apart alternate, and each block together is
 * compared with the blocks apart before it and after it. Until enough is known, about this phase of
 * the work or all of it, time together is taken to cost all of its length.
 *
 * No clock, no lock and no memory of its own: `now` and the progress are passed in. */
#ifndef GIVEWAY_SLACK_H
#define GIVEWAY_SLACK_H

#include "giveway.h"
#include "phases.h"

/* What the caller sees at a moment. */
enum gw_slack_scene {
  GW_RESTS,    /* the task has nothing to do, or is held itself */
  GW_ALONE,    /* the task works, and no less urgent task has work */
  GW_APART,    /* ... and less urgent tasks are held */
  GW_TOGETHER, /* ... and less urgent tasks run */
};

enum gw_slack_verdict {
  GW_SLACK_NONE = 0,    /* the task tolerates no slowdown */
  GW_SLACK_UNKNOWN = 1, /* it is not known what time together costs */
  GW_SLACK_CHEAP = 2,   /* less than is tolerated: others run all the time */
  GW_SLACK_DEAR = 3,    /* more than that: others run for the credit */
};

struct gw_slack {
  double tolerance; /* x: 0.1 for 10 %; 0: never together */
  /* Work of others goes on after their gates have closed: how much, and until when at the latest.
   * Where a device serves programs in turn, their last work has its turn later. */
  double drain_ns, settle_ns;
  bool together; /* what the task wants now */
  enum gw_slack_scene scene;

  /* The episode so far: what it would have taken alone, and by how much others delayed it. */
  double alone_ns, delay_ns;
  uint64_t charged_ns; /* up to when this is counted */
  /* The delay in measured blocks together: as charged, as seen, the variance of the latter, and by
   * how much the charge is corrected. */
  double charged_delay_ns, seen_delay_ns, seen_variance, corrected_ns;

  /* The block. It is measured once the gates are as wanted and the work of others has stopped. */
  uint64_t wanted_ns, began_ns, until_ns, end_ns;
  double length_ns;
  /* A block together whose end others may still delay: it is compared when they have stopped. */
  struct {
    double ns, rate, units, rested;
    uint64_t until_ns, progress;
    bool is_over; /* others have stopped; only the block apart after it is missing */
  } pair;
  /* For how long the task has rested, in all; what that was at the beginning of the block, of its
   * part, and when time was last charged. */
  double rested_ns, began_rested, part_rested, charged_rested;
  bool measured, draining; /* draining: work of the block together may still run */
  uint64_t progress_at;
  enum gw_slack_scene began_with;
  double apart_rate;       /* of the last block apart; below 0: none to compare with */
  double unchecked_ns;     /* time together since the last pair */
  bool begins_with_check;  /* whether this episode does */
  double last_rate, burst; /* of the last block apart at all; how many launches come at a time */

  /* A long block together is watched in parts. */
  uint64_t part_ns, part_progress;
  double slower, faster; /* how clearly its last parts were not as usual, in standard deviations */

  struct gw_phases phases;
  int first;  /* the phase at the beginning of an episode */
  bool begun; /* ... of this one has been seen */
  uint64_t beside;
};

void gw_slack_init(struct gw_slack *slack, double tolerance, uint64_t drain_ns, uint64_t settle_ns);
/* An episode begins: gw_slack_step is due at once. */
GW_API void gw_slack_begin(struct gw_slack *slack, uint64_t now, enum gw_slack_scene scene,
                           uint64_t beside);
/* `progress` counts work that is done: it only grows. `beside` identifies the less urgent tasks
 * that have work. Sets `together`, and returns when to call this function again: at `now` for a
 * block together, as soon as the gates are open. A late call is no harm. */
GW_API uint64_t gw_slack_step(struct gw_slack *slack, uint64_t now, uint64_t progress,
                              enum gw_slack_scene scene, uint64_t beside);
/* For how long, in all, the task has had nothing to do, as far as that is known exactly. Such times
 * are taken out of blocks. To be called before gw_slack_step. */
GW_API void gw_slack_rested(struct gw_slack *slack, uint64_t ns);
/* The episode is over. */
GW_API void gw_slack_end(struct gw_slack *slack, uint64_t now);
/* The speed together, of that apart: the estimate, and what it is at least, with confidence. */
GW_API double gw_slack_speed(const struct gw_slack *slack);
double gw_slack_least_speed(const struct gw_slack *slack);
enum gw_slack_verdict gw_slack_verdict(const struct gw_slack *slack);
/* The delay that is tolerated and has not happened, in nanoseconds. */
double gw_slack_credit(const struct gw_slack *slack);

/* For simulations, which run the same controller through ctypes. NULL: no memory. */
GW_API struct gw_slack *gw_slack_new(double tolerance, uint64_t drain_ns, uint64_t settle_ns);
GW_API void gw_slack_free(struct gw_slack *slack);
GW_API int gw_slack_together(const struct gw_slack *slack);

#endif
