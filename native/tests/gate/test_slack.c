/* Slack against simulated work: a task whose launches take a random time, slowed down while others
 * run. Each case runs for minutes of simulated time, and the random numbers are always the same. */
#include <math.h>

#include "../../gate/slack.h"

#include "harness.h"

struct work {
  double tolerance;
  double speed;      /* together, of that apart */
  double later;      /* the same in the second half of the run; 0: no change */
  double launch_us;  /* the mean time of a launch */
  bool alike;        /* launches differ by up to a half of that, not at random */
  double episode_ms; /* the mean work of an episode */
  int burst;         /* so many launches at a time; 0: one */
  double late_us;    /* how late the block ends, at most */
  double drain_us;   /* how long the work of others runs on after a block */
};

struct seen {
  double together, together_later; /* shares of the active time */
  double excess_ms;                /* over what is tolerated, at the worst moment */
  int over, episodes;              /* episodes with an excess above 1 % of their work */
  double speed;                    /* as estimated, on average over the ends of episodes */
};

static uint64_t random_state;

static double uniform(void) { /* Knuth's linear congruential generator */
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}

static double exponential(double mean) { return -mean * log(uniform()); }

static double next_launch(const struct work *work) {
  double mean = work->launch_us * 1e3 * (work->burst > 1 ? work->burst : 1);
  return work->alike ? mean * (0.5 + uniform()) : exponential(mean);
}

static double least(double a, double b) { return a < b ? a : b; }

struct clock {
  double now, left; /* left: the work of the launch that runs */
  double drained;   /* when the work of others has stopped */
  uint64_t progress;
};

static enum gw_slack_scene scene(const struct gw_slack *slack) {
  return slack->together ? GW_TOGETHER : GW_APART;
}

/* As the watcher does: once more as soon as the gates are as wanted. */
static double step(struct gw_slack *slack, struct clock *clock, const struct work *work) {
  uint64_t now = (uint64_t)clock->now + 1, until = now;
  for (int i = 0; i < 3 && until <= now; i++) {
    bool before = slack->together;
    until = gw_slack_step(slack, now, clock->progress, scene(slack), 1);
    if (before && !slack->together) {
      clock->drained = clock->now + work->drain_us * 1e3;
    }
  }
  return (double)until + work->late_us * 1e3 * uniform();
}

/* One episode; returns the worst excess in nanoseconds. */
static double run_episode(struct gw_slack *slack, const struct work *work, struct clock *clock,
                          double speed, double *active, double *together) {
  double alone = 0, delay = 0, worst = -1e18;
  double rest = work->episode_ms * 1e6 * (0.8 + 0.4 * uniform());
  gw_slack_begin(slack, (uint64_t)clock->now, GW_APART, 1);
  double wake = step(slack, clock, work);
  while (rest > 1e-6) {
    bool drains = !slack->together && clock->now < clock->drained;
    double now = slack->together || drains ? speed : 1;
    double ns = least(wake - clock->now, least(clock->left, rest) / now);
    ns = drains ? least(ns, clock->drained - clock->now) : ns;
    ns = ns > 1 ? ns : 1;
    clock->now += ns;
    clock->left -= ns * now;
    rest -= ns * now;
    alone += ns * now;
    delay += ns * (1 - now);
    *active += ns;
    *together += slack->together ? ns : 0;
    if (clock->left <= 1e-6) {
      clock->left = next_launch(work);
      clock->progress += work->burst > 1 ? (uint64_t)work->burst : 1;
    }
    worst = fmax(worst, delay - work->tolerance * alone);
    if (clock->now >= wake) {
      wake = step(slack, clock, work);
    }
  }
  gw_slack_end(slack, (uint64_t)clock->now);
  return worst;
}

static struct seen run_from(uint64_t seed, struct work work, double seconds) {
  struct gw_slack slack;
  struct seen seen = {.excess_ms = -1e9};
  struct clock clock = {.now = 1e9};
  double end = clock.now + seconds * 1e9, half = clock.now + seconds * 5e8;
  double active = 0, together = 0, active_later = 0, together_later = 0;
  random_state = seed;
  clock.left = next_launch(&work);
  gw_slack_init(&slack, work.tolerance, (uint64_t)(work.drain_us * 1e3),
                (uint64_t)(work.drain_us * 1e3));
  while (clock.now < end) {
    bool later = clock.now > half;
    double speed = later && work.later > 0 ? work.later : work.speed;
    /* For a second after the change the task learns of it. */
    bool counts = work.later <= 0 || !later || clock.now > half + 1e9;
    double nothing = 0;
    double excess = run_episode(&slack, &work, &clock, speed, later ? &active_later : &active,
                                !counts ? &nothing
                                : later ? &together_later
                                        : &together);
    if (counts) {
      seen.episodes++;
      seen.over += excess > 0.01 * work.episode_ms * 1e6;
      seen.excess_ms = fmax(seen.excess_ms, excess / 1e6);
      seen.speed += gw_slack_speed(&slack);
    }
    clock.now += exponential(work.episode_ms * 1.5e6);
  }
  seen.together = together / active;
  seen.together_later = together_later / active_later;
  seen.speed /= seen.episodes;
  return seen;
}

static struct seen run(struct work work, double seconds) { return run_from(1, work, seconds); }

static void where_together_is_cheap_others_run_nearly_always(void) {
  const double episodes_ms[] = {8, 40, 300, 5000};
  for (int i = 0; i < 4; i++) {
    struct work work = {
        .tolerance = 0.1, .speed = 0.97, .launch_us = 40, .episode_ms = episodes_ms[i]};
    double together = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
      struct seen seen = run_from(seed, work, 60);
      CHECK(seen.over == 0 && fabs(seen.speed - 0.97) < 0.03);
      together += seen.together / 3;
    }
    CHECK(together > 0.85);
  }
}

/* Credit buys x / (1 - s) of the time. */
static void where_together_is_dear_others_get_what_the_credit_pays_for(void) {
  const double tolerances[] = {0.05, 0.1, 0.3};
  for (int i = 0; i < 3; i++) {
    double x = tolerances[i], s = 0.45;
    struct seen seen =
        run((struct work){.tolerance = x, .speed = s, .launch_us = 20, .episode_ms = 2000}, 120);
    double most = x / (1 - s) / (1 + x); /* of the active time, which is longer by x */
    CHECK(seen.over == 0);
    CHECK(seen.together > 0.8 * most && seen.together < 1.02 * most);
  }
}

static void short_episodes_are_not_delayed_for_others(void) {
  struct work work = {.tolerance = 0.1, .speed = 0.4, .launch_us = 30, .episode_ms = 3};
  struct seen seen = run(work, 60);
  CHECK(seen.together == 0 && seen.excess_ms <= 0);
}

/* Their evidence comes from long episodes. A check takes longer than a short episode, so it must
 * not hold others in all of them. */
static void short_episodes_after_long_ones_are_not_all_checks(void) {
  struct work work = {
      .tolerance = 0.1, .speed = 0.98, .launch_us = 500, .alike = true, .episode_ms = 300};
  struct gw_slack slack;
  struct clock clock = {.now = 1e9};
  double active = 0, together = 0;
  random_state = 1;
  clock.left = next_launch(&work);
  gw_slack_init(&slack, work.tolerance, 0, 0);
  for (int i = 0; i < 100; i++) {
    run_episode(&slack, &work, &clock, work.speed, &active, &together);
  }
  CHECK(gw_slack_verdict(&slack) == GW_SLACK_CHEAP);
  work.episode_ms = 5;
  active = together = 0;
  for (int i = 0; i < 1000; i++) {
    CHECK(run_episode(&slack, &work, &clock, work.speed, &active, &together) <= 1e4);
  }
  CHECK(together > 0.6 * active && together < 0.9 * active);
}

static void no_tolerance_no_time_together(void) {
  struct work work = {.speed = 0.99, .launch_us = 40, .episode_ms = 100};
  struct seen seen = run(work, 30);
  CHECK(seen.together == 0 && seen.excess_ms <= 0);
}

/* A graph of 4 ms counts as one launch: blocks get longer, and the promise holds. */
static void long_launches_are_counted_over_longer_blocks(void) {
  struct work work = {
      .tolerance = 0.1, .speed = 0.97, .launch_us = 4000, .alike = true, .episode_ms = 300};
  CHECK(run(work, 120).together > 0.5);
  work.speed = 0.3;
  struct seen seen = run(work, 120);
  CHECK(seen.together < 0.14 && seen.over <= seen.episodes / 50);
}

/* A program submits a step at a time, and waits for its end. */
static void launches_that_come_in_bursts_are_counted_over_several(void) {
  struct work work = {.tolerance = 0.5,
                      .speed = 0.97,
                      .launch_us = 100,
                      .alike = true,
                      .burst = 10,
                      .episode_ms = 2000};
  CHECK(run(work, 60).together > 0.85);
  work.speed = 0.4;
  struct seen seen = run(work, 60);
  CHECK(seen.together > 0.35 && seen.over == 0);
}

/* The promise is kept for whatever the work is like. Blocks that end late cost what they cost. */
static void the_promise_holds_for_any_work(void) {
  for (int i = 0; i < 200; i++) {
    random_state = (uint64_t)i;
    uniform();
    struct work work = {
        .tolerance = 0.02 + 0.5 * uniform(),
        .speed = 0.1 + 0.9 * uniform(),
        .launch_us = 5 + exponential(100),
        .alike = i % 2,
        .burst = i % 5 == 0 ? 20 : 0,
        .episode_ms = 1 + exponential(200),
        .late_us = 100 * uniform(),
        .drain_us = i % 3 == 0 ? 0 : 500 * uniform(),
    };
    struct seen seen = run(work, 20);
    if (seen.over > 1 + seen.episodes / 50) {
      fprintf(stderr, "tolerance %.2f speed %.2f launch %.0f us episode %.0f ms: %d of %d over\n",
              work.tolerance, work.speed, work.launch_us, work.episode_ms, seen.over,
              seen.episodes);
    }
    CHECK(seen.over <= 1 + seen.episodes / 50);
  }
}

static void work_that_changes_is_noticed(void) {
  struct work work = {
      .tolerance = 0.1, .speed = 0.97, .later = 0.4, .launch_us = 40, .episode_ms = 100};
  struct seen seen = run(work, 60);
  CHECK(seen.together > 0.85);
  CHECK(seen.together_later < 0.2 && seen.over <= 1);
  work.speed = 0.4;
  work.later = 0.97;
  seen = run(work, 60);
  CHECK(seen.together < 0.2 && seen.together_later > 0.8);
}

static void a_call_before_its_time_changes_nothing(void) {
  struct gw_slack slack;
  gw_slack_init(&slack, 0.1, MS / 2, MS / 2);
  gw_slack_begin(&slack, 1000, GW_APART, 1);
  uint64_t until = gw_slack_step(&slack, 2 * MS, 0, GW_APART, 1);
  double alone = slack.alone_ns;
  CHECK(gw_slack_step(&slack, until - 1, 5, GW_APART, 1) == until && slack.alone_ns == alone);
  CHECK(gw_slack_step(&slack, until, 5, GW_APART, 1) > until && slack.alone_ns > alone);
}

/* Else a task would take a device for cheap that nobody else used. */
static void nothing_is_learned_where_no_other_task_works(void) {
  struct gw_slack slack;
  gw_slack_init(&slack, 0.1, MS / 2, MS / 2);
  uint64_t now = 1000, progress = 0;
  gw_slack_begin(&slack, now, GW_ALONE, 0);
  for (int i = 0; i < 1000; i++) {
    now += 10 * MS;
    progress += 100;
    gw_slack_step(&slack, now, progress, GW_ALONE, 0);
    CHECK(!slack.together);
  }
  CHECK(gw_slack_least_speed(&slack) == 0);
}

static const struct test_case cases[] = {
    {"nothing is learned where no other task works", nothing_is_learned_where_no_other_task_works},
    {"where together is cheap", where_together_is_cheap_others_run_nearly_always},
    {"where together is dear", where_together_is_dear_others_get_what_the_credit_pays_for},
    {"short episodes are not delayed", short_episodes_are_not_delayed_for_others},
    {"short episodes after long ones", short_episodes_after_long_ones_are_not_all_checks},
    {"no tolerance", no_tolerance_no_time_together},
    {"long launches are counted over longer blocks", long_launches_are_counted_over_longer_blocks},
    {"launches that come in bursts", launches_that_come_in_bursts_are_counted_over_several},
    {"the promise holds for any work", the_promise_holds_for_any_work},
    {"work that changes is noticed", work_that_changes_is_noticed},
    {"a call before its time changes nothing", a_call_before_its_time_changes_nothing},
};

RUN_CASES(cases, 120)
