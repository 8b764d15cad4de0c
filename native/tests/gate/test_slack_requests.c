/* Slack for a program that is bound by the host: it launches a short kernel every 20 us or so, and
 * waits for the last one of a request. Beside it kernels run without a pause. On virtual time, in
 * steps of a microsecond; the random numbers are always the same. */
#include <math.h>
#include <stdlib.h>

#include "../../gate/slack.h"

#include "harness.h"

#define LAUNCHES 230 /* of a request */
#define LAUNCH_US 20 /* of the host's time, on average */
#define KERNEL_US 7
#define EVERY_US 10000 /* a request */
#define SLICE_US 2000  /* where the device runs one program at a time */
#define SWITCH_US 140
#define BESIDE 1.1 /* how much longer kernels take where it runs both */
#define DRAIN_US 500
#define LINGER_US 2000
#define TICK_US 2000
#define REST_US 200
#define MOST 20000 /* requests */
#define SEEDS 3

enum gates { CONTROLLED, ALWAYS_OPEN };

/* How much longer than on average the host takes for a launch, in each fifth of a request. */
static const double even[5] = {1, 1, 1, 1, 1}, uneven[5] = {1.7, 1, 0.75, 0.7, 0.85};

struct world {
  bool slices; /* the device runs one program at a time */
  enum gates gates;
  const double *pace;
  struct gw_slack slack;
  double now;
  /* The urgent program, its requests, and the speed of its cores, which varies. */
  double arrival, host_factor, host_until, host_left, began, alone;
  int waiting, to_launch;
  bool works;
  /* The device, and what each program has submitted to it. */
  double urgent_queue, low_queue, slice_left, switching, low_done;
  bool low_has_device;
  /* The watcher */
  bool active;
  uint64_t launches, seen;
  double last, wake, tick, rested;
  /* How long requests took, of what they would have taken alone. */
  double ratios[MOST], took, took_alone;
  int requests;
  double episode_took, episode_alone;
  int episodes, over; /* over: later by 1 % of their work than is tolerated */
};

static uint64_t random_state;

static double uniform(void) { /* Knuth's linear congruential generator */
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}

static double exponential(double mean) { return -mean * log(uniform()); }

static bool low_may_launch(const struct world *world) {
  return !world->active || world->gates == ALWAYS_OPEN || world->slack.together;
}

static enum gw_slack_scene scene(const struct world *world) {
  bool rests = !world->works && world->now - world->last > REST_US;
  return rests ? GW_RESTS : world->slack.together ? GW_TOGETHER : GW_APART;
}

static uint64_t nanoseconds(double us) { return (uint64_t)(us * 1e3) + 1; }

static void end_episode(struct world *world) {
  double tolerated = world->episode_alone * (1 + world->slack.tolerance);
  world->episodes++;
  world->over += world->episode_took > tolerated + 0.01 * world->episode_alone;
  world->episode_took = world->episode_alone = 0;
}

/* As the watcher does: once more as soon as the gates are as wanted. */
static void look(struct world *world, bool begins) {
  uint64_t now = nanoseconds(world->now), until = now;
  gw_slack_rested(&world->slack, nanoseconds(world->rested));
  if (begins) {
    gw_slack_begin(&world->slack, now, scene(world), 1);
  }
  for (int i = 0; i < 3 && until <= now; i++) {
    until = gw_slack_step(&world->slack, now, world->launches, scene(world), 1);
  }
  world->wake = (double)until / 1e3 + 50 * uniform();
  world->tick = world->now + TICK_US;
  world->last = world->seen != world->launches ? world->now : world->last;
  world->seen = world->launches;
  if (!world->works && world->now - world->last >= LINGER_US) {
    world->active = false;
    end_episode(world);
    gw_slack_end(&world->slack, now);
    gw_slack_begin(&world->slack, now, GW_APART, 1);
  }
}

static void launch(struct world *world) {
  double pace = world->pace[(LAUNCHES - world->to_launch) * 5 / LAUNCHES];
  world->to_launch--;
  world->launches++;
  world->urgent_queue += KERNEL_US;
  world->host_left += LAUNCH_US * pace * world->host_factor * (0.5 + uniform());
  if (!world->active) {
    world->active = true;
    world->last = world->now;
    look(world, true);
  }
}

static void end_request(struct world *world) {
  double took = world->now - world->began;
  world->works = false;
  world->last = world->now;
  world->seen = world->launches;
  world->alone += KERNEL_US;
  CHECK(world->requests < MOST);
  world->ratios[world->requests++] = took / world->alone;
  world->took += took;
  world->took_alone += world->alone;
  world->episode_took += took;
  world->episode_alone += world->alone;
}

static void run_program(struct world *world) {
  if (world->now >= world->host_until) {
    world->host_factor = 0.7 + 0.6 * uniform();
    world->host_until = world->now + exponential(1e6);
  }
  if (world->now >= world->arrival) {
    world->waiting++;
    world->arrival = world->now + exponential(EVERY_US);
  }
  if (!world->works && world->waiting > 0) {
    world->waiting--;
    world->works = true;
    world->to_launch = LAUNCHES;
    world->began = world->now;
    world->alone = world->host_left = 0;
  }
  world->rested += world->works ? 0 : 1;
  if (world->to_launch > 0) {
    world->alone++;
    world->host_left--;
    if (world->host_left <= 0) {
      launch(world);
    }
  } else if (world->works && world->urgent_queue <= 0) {
    end_request(world);
  }
}

static void run_low(struct world *world, double speed) {
  world->low_queue -= low_may_launch(world) ? 0 : speed;
  world->low_done += speed;
}

static void run_in_slices(struct world *world) {
  bool urgent = world->urgent_queue > 0, low = world->low_queue > 0;
  bool own = world->low_has_device ? low : urgent, other = world->low_has_device ? urgent : low;
  if (world->switching > 0) {
    world->switching--;
  } else if (other && (!own || world->slice_left <= 0)) {
    world->low_has_device = !world->low_has_device;
    world->slice_left = SLICE_US;
    world->switching = SWITCH_US;
  } else if (own) {
    world->slice_left--;
    if (world->low_has_device) {
      run_low(world, 1);
    } else {
      world->urgent_queue--;
    }
  }
}

static void run_beside(struct world *world) {
  bool urgent = world->urgent_queue > 0, low = world->low_queue > 0;
  world->urgent_queue -= !urgent ? 0 : low ? 1 / BESIDE : 1;
  if (low) {
    run_low(world, urgent ? 1 / BESIDE : 1);
  }
}

static void run_device(struct world *world) {
  world->low_queue = low_may_launch(world) ? DRAIN_US : world->low_queue;
  if (world->slices) {
    run_in_slices(world);
  } else {
    run_beside(world);
  }
}

static int compare_numbers(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

struct result {
  double low;          /* what it did, of what it does alone */
  double mean, median; /* how long requests took, of what they would have taken alone */
  double most;         /* the same, of 99 in 100 */
  double over;         /* the share of episodes */
};

static struct result run_once(uint64_t seed, bool slices, const double *pace, enum gates gates,
                              double tolerance, double seconds) {
  static struct world world;
  random_state = seed;
  world = (struct world){.slices = slices, .gates = gates, .pace = pace, .host_until = -1};
  uint64_t settle_us = DRAIN_US + (slices ? SLICE_US : 0);
  gw_slack_init(&world.slack, tolerance, DRAIN_US * 1000, settle_us * 1000);
  for (; world.now < seconds * 1e6; world.now++) {
    run_program(&world);
    run_device(&world);
    if (world.active && (world.now >= world.wake || world.now >= world.tick)) {
      look(&world, false);
    }
  }
  qsort(world.ratios, (size_t)world.requests, sizeof(double), compare_numbers);
  struct result result = {
      .low = world.low_done / world.now,
      .mean = world.took / world.took_alone,
      .median = world.ratios[world.requests / 2],
      .most = world.ratios[world.requests * 99 / 100],
      .over = (double)world.over / world.episodes,
  };
  return result;
}

/* The mean over several sequences of random numbers. */
static struct result run(bool slices, const double *pace, enum gates gates, double tolerance,
                         double seconds) {
  struct result sum = {0};
  for (int i = 0; i < SEEDS; i++) {
    struct result one = run_once(1 + (uint64_t)i * 100000, slices, pace, gates, tolerance, seconds);
    sum.low += one.low / SEEDS;
    sum.mean += one.mean / SEEDS;
    sum.median += one.median / SEEDS;
    sum.most += one.most / SEEDS;
    sum.over += one.over / SEEDS;
  }
  return sum;
}

static void where_the_device_runs_both_others_run_beside_it(void) {
  struct result open = run(false, even, ALWAYS_OPEN, 0.1, 30);
  struct result slack = run(false, even, CONTROLLED, 0.1, 30);
  CHECK(slack.low > 0.85 * open.low);
  CHECK(slack.median <= 1.1 && slack.most <= 1.1 && slack.over == 0);
}

static void where_a_request_launches_at_several_rates(void) {
  struct result open = run(false, uneven, ALWAYS_OPEN, 0.1, 30);
  struct result slack = run(false, uneven, CONTROLLED, 0.1, 30);
  CHECK(slack.low > 0.8 * open.low);
  CHECK(slack.median <= 1.1 && slack.most <= 1.1 && slack.over == 0);
}

/* There a request that has been submitted may wait for a slice of the other program. That shows
 * only at its end, and costs more than is tolerated. */
static void where_programs_take_turns_the_promise_holds(void) {
  struct result open = run(true, even, ALWAYS_OPEN, 0.1, 30);
  struct result slack = run(true, even, CONTROLLED, 0.1, 30);
  CHECK(open.mean > 1.15);
  CHECK(slack.median <= 1.1 && slack.mean <= 1.1 && slack.over < 0.006);
}

static void without_tolerance_nothing_is_delayed(void) {
  CHECK(run(true, even, CONTROLLED, 0, 10).most <= 1.01);
}

static const struct test_case cases[] = {
    {"where the device runs both", where_the_device_runs_both_others_run_beside_it},
    {"at several rates", where_a_request_launches_at_several_rates},
    {"where programs take turns", where_programs_take_turns_the_promise_holds},
    {"without tolerance", without_tolerance_nothing_is_delayed},
};

RUN_CASES(cases, 240)
