/* Slack on random traces: episodes with phases that launch at different rates and suffer
 * differently, beside tasks of several kinds that come and go. On virtual time; the random numbers
 * are always the same. */
#include <math.h>

#include "../../gate/slack.h"

#include "harness.h"

#define KINDS 3
#define PHASES 3

struct phase {
  double launch_us, work_ms; /* the mean of each */
  double slowdown[KINDS];    /* beside a task of each kind; that of several adds up */
};

struct trace {
  double tolerance, late_us, drain_us;
  int phases, kinds;
  struct phase phase[PHASES];
  bool alike;      /* launches differ by up to a half of their mean, not at random */
  double stays_ms; /* how long a less urgent task has work, and has none; 0: always */
  double gap_ms;   /* between episodes */
};

struct world {
  struct trace trace;
  struct gw_slack slack;
  double now, drained, wake, tick;
  uint64_t progress;
  bool works[KINDS];
  double until[KINDS];
  /* Of the episode */
  double alone, delay, worst;
  double over_since, over_longest;  /* how long the promise was broken */
  double beside_at, beside_longest; /* how long others with work were held */
  /* Of all */
  double active, together;
  double excess; /* an episode with more, as a share of its work, counts as over */
  int episodes, over, verdicts, switches;
  enum gw_slack_verdict verdict;
};

static uint64_t random_state;

static double uniform(void) { /* Knuth's linear congruential generator */
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}

static double between(double low, double high) { return low + (high - low) * uniform(); }
static double exponential(double mean) { return -mean * log(uniform()); }

static uint64_t others(const struct world *world) {
  uint64_t set = 0;
  for (int i = 0; i < world->trace.kinds; i++) {
    set |= (uint64_t)world->works[i] << i;
  }
  return set;
}

static void come_and_go(struct world *world) {
  for (int i = 0; i < world->trace.kinds; i++) {
    if (world->trace.stays_ms <= 0) {
      world->works[i] = true;
    } else if (world->now >= world->until[i]) {
      world->works[i] = !world->works[i];
      world->until[i] = world->now + exponential(world->trace.stays_ms) * 1e6;
    }
  }
}

static double speed(const struct world *world, const struct phase *phase) {
  double slowdown = 1;
  bool run = world->slack.together || world->now < world->drained;
  for (int i = 0; i < world->trace.kinds; i++) {
    slowdown += run && world->works[i] ? phase->slowdown[i] - 1 : 0;
  }
  return 1 / slowdown;
}

static enum gw_slack_scene scene(const struct world *world) {
  return others(world) == 0 ? GW_ALONE : world->slack.together ? GW_TOGETHER : GW_APART;
}

/* As the watcher does: once more as soon as the gates are as wanted. */
static void step(struct world *world) {
  uint64_t now = (uint64_t)world->now + 1, until = now;
  for (int i = 0; i < 3 && until <= now; i++) {
    bool before = world->slack.together;
    until = gw_slack_step(&world->slack, now, world->progress, scene(world), others(world));
    world->switches += before != world->slack.together;
    if (before && !world->slack.together) {
      world->drained = world->now + world->trace.drain_us * 1e3;
    }
  }
  world->wake = (double)until + world->trace.late_us * 1e3 * uniform();
  enum gw_slack_verdict verdict = gw_slack_verdict(&world->slack);
  world->verdicts += verdict != world->verdict;
  world->verdict = verdict;
}

static void note(struct world *world, double ns, double done) {
  world->alone += done;
  world->delay += ns - done;
  world->active += ns;
  bool beside = world->slack.together || others(world) == 0;
  world->together += world->slack.together ? ns : 0;
  world->beside_at = beside ? world->now : world->beside_at;
  world->beside_longest = fmax(world->beside_longest, world->now - world->beside_at);
  double excess = world->delay - world->trace.tolerance * world->alone;
  world->worst = fmax(world->worst, excess);
}

static double next_launch(const struct world *world, const struct phase *phase) {
  double mean = phase->launch_us * 1e3;
  return world->trace.alike ? mean * between(0.5, 1.5) : exponential(mean);
}

static void run_phase(struct world *world, const struct phase *phase, double work) {
  double left = next_launch(world, phase);
  for (double rest = work; rest > 1e-6;) {
    come_and_go(world);
    double rate = speed(world, phase);
    double ns = fmax(1, fmin(fmin(world->wake - world->now, 2e5), fmin(left, rest) / rate));
    ns = world->now < world->drained ? fmin(ns, fmax(1, world->drained - world->now)) : ns;
    world->now += ns;
    left -= ns * rate;
    rest -= ns * rate;
    note(world, ns, ns * rate);
    if (left <= 1e-6) {
      left = next_launch(world, phase);
      world->progress++;
    }
    if (world->now >= world->wake || world->now >= world->tick) { /* it looks every 2 ms */
      world->tick = world->now + 2e6;
      step(world);
    }
  }
}

static void begin_episode(struct world *world) {
  world->alone = world->delay = 0;
  world->worst = -1e18;
  world->beside_at = world->now;
  come_and_go(world);
  gw_slack_begin(&world->slack, (uint64_t)world->now, scene(world), others(world));
  step(world);
}

static void end_episode(struct world *world) {
  gw_slack_end(&world->slack, (uint64_t)world->now);
  world->episodes++;
  world->over += world->worst > 1e6 + world->excess * world->alone;
  world->now += exponential(world->trace.gap_ms) * 1e6;
}

static struct world new_world(struct trace trace) {
  struct world world = {.trace = trace, .now = 1e9, .excess = 0.01};
  gw_slack_init(&world.slack, trace.tolerance, (uint64_t)(trace.drain_us * 1e3),
                (uint64_t)(trace.drain_us * 1e3));
  return world;
}

static void run(struct world *world, double seconds) {
  for (double end = world->now + seconds * 1e9; world->now < end;) {
    begin_episode(world);
    for (int i = 0; i < world->trace.phases; i++) {
      const struct phase *phase = &world->trace.phase[i];
      run_phase(world, phase, phase->work_ms * between(0.7, 1.3) * 1e6);
    }
    end_episode(world);
  }
}

static struct trace random_trace(int phases) {
  struct trace trace = {
      .tolerance = between(0.03, 0.4),
      .late_us = between(0, 100),
      .drain_us = between(0, 500),
      .phases = phases,
      .alike = phases > 1,
      .kinds = 1 + (int)(uniform() * KINDS),
      .stays_ms = uniform() < 0.5 ? 0 : exponential(300),
      .gap_ms = exponential(50),
  };
  for (int i = 0; i < phases; i++) {
    trace.phase[i].launch_us = between(5, 150);
    trace.phase[i].work_ms = 1 + exponential(150);
    for (int k = 0; k < KINDS; k++) {
      trace.phase[i].slowdown[k] = uniform() < 0.5 ? between(1, 1.1) : between(1, 4);
    }
  }
  return trace;
}

/* Returns how many of a hundred episodes broke the promise by more than `excess` of their work. */
static double broken(int phases, double excess) {
  int over = 0, episodes = 0;
  for (int i = 0; i < 100; i++) {
    random_state = (uint64_t)i * 7919 + (uint64_t)phases;
    uniform();
    struct world world = new_world(random_trace(phases));
    world.excess = excess;
    run(&world, 20);
    over += world.over;
    episodes += world.episodes;
  }
  CHECK(episodes > 5000);
  return 100.0 * over / episodes;
}

static void others_that_come_and_go_break_no_promise(void) { CHECK(broken(1, 0.01) < 0.1); }

/* A phase that begins unseen costs until it is noticed, and that phases which launch at the same
 * rate have different prices is seen only after some of them. */
static void phases_seldom_break_the_promise(void) {
  CHECK(broken(2, 0.01) < 2);
  CHECK(broken(3, 0.01) < 2);
}

static struct trace steady(double slowdown, double launch_us, double episode_ms) {
  return (struct trace){
      .tolerance = 0.1,
      .late_us = 50,
      .drain_us = 200,
      .phases = 1,
      .kinds = 1,
      .alike = true,
      .gap_ms = 50,
      .phase = {{.launch_us = launch_us, .work_ms = episode_ms, .slowdown = {slowdown}}},
  };
}

static void a_steady_device_is_judged_once(void) {
  const double slowdowns[] = {1.03, 2.5};
  for (int i = 0; i < 2; i++) {
    random_state = 1;
    struct world world = new_world(steady(slowdowns[i], 40, 200));
    run(&world, 5);
    CHECK(world.verdict == (i == 0 ? GW_SLACK_CHEAP : GW_SLACK_DEAR));
    world.verdicts = world.switches = 0;
    world.active = 0;
    run(&world, 60);
    CHECK(world.verdicts == 0 && world.over == 0);
    CHECK(world.switches < 160 * world.active / 1e9); /* a second */
  }
}

/* The work changes while the program goes on: an episode that lasts is soon as the credit pays. */
static void a_change_is_noticed_within_200_ms(void) {
  const double launches_us[] = {20, 100, 400};
  for (int i = 0; i < 3; i++) {
    random_state = 1;
    struct world world = new_world(steady(1.02, launches_us[i], 300));
    run(&world, 10);
    CHECK(world.verdict == GW_SLACK_CHEAP);
    begin_episode(&world);
    run_phase(&world, &world.trace.phase[0], 100e6);
    world.trace.phase[0].slowdown[0] = 3;
    run_phase(&world, &world.trace.phase[0], 150e6);
    world.together = world.active = 0;
    run_phase(&world, &world.trace.phase[0], 400e6);
    CHECK(world.together < 0.17 * world.active); /* 0.1 / 0.667 / 1.1 = 0.136 */
    end_episode(&world);
    world.over = 0;
    run(&world, 10);
    CHECK(world.over == 0);
  }
}

static void no_task_starves_beside_a_long_episode(void) {
  random_state = 1;
  struct world world = new_world(steady(4, 100, 20000));
  run(&world, 60);
  CHECK(world.beside_longest < 500e6 && world.over == 0);
}

static const struct test_case cases[] = {
    {"others that come and go break no promise", others_that_come_and_go_break_no_promise},
    {"phases seldom break the promise", phases_seldom_break_the_promise},
    {"a steady device is judged once", a_steady_device_is_judged_once},
    {"a change is noticed within 200 ms", a_change_is_noticed_within_200_ms},
    {"no task starves beside a long episode", no_task_starves_beside_a_long_episode},
};

RUN_CASES(cases, 240)
