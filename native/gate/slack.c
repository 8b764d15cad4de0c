#include "slack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MS 1e6
/* Blocks, in units. A unit is the time of a few launches, or of a few bursts where a program
 * launches some at a time, so that their number says something. */
#define UNIT_LEAST_NS (1 * MS)
#define UNIT_MOST_NS (16 * MS)
#define UNIT_LAUNCHES 8
#define EXPLORE_LEAST 0.4
#define EXPLORE_MOST 2.0
#define SPEND_LEAST 2.0 /* a shorter block costs two switches and brings little work */
#define SPEND_MOST 8.0
#define OPEN 16.0  /* together costs less than is tolerated: blocks apart only to compare */
#define PART 2.0   /* the parts in which such a block is watched */
#define CHECK 32.0 /* however short the episodes are, one block apart in so many units together */
#define CHECK_UNITS 8.0 /* an episode with fewer may be over before a check is */
#define POSTPONED 3.0   /* for so many more such episodes */
#define FIRST 8.0       /* a later block says nothing about the phase in which an episode begins */
/* A part is not as usual where it is slower or faster by so many standard deviations; less than
 * DRIFT happens, and launches at its edges lie in it only partly (CUSUM). */
#define UNUSUAL 2.0
#define DRIFT 0.5
#define PARTIAL 1.0
#define SPREAD 2.0 /* standard deviations by which the blocks of an episode differ by chance */
#define LOOK_NS (MS / 10) /* how soon to look whether the gates are as wanted */

void gw_slack_init(struct gw_slack *slack, double tolerance, uint64_t drain_ns,
                   uint64_t settle_ns) {
  memset(slack, 0, sizeof *slack);
  slack->tolerance = tolerance;
  slack->drain_ns = (double)drain_ns;
  slack->settle_ns = (double)settle_ns;
}

/* ---- what is known ------------------------------------------------------------------------ */

static const struct gw_evidence *known(const struct gw_slack *slack) {
  return gw_phases_now(&slack->phases);
}

double gw_slack_speed(const struct gw_slack *slack) { return gw_evidence_speed(known(slack)); }

/* The speed together from which on others may always run. */
static double needed(const struct gw_slack *slack) { return 1 / (1 + slack->tolerance); }

double gw_slack_least_speed(const struct gw_slack *slack) {
  return gw_phases_least_speed(&slack->phases, needed(slack));
}

/* Others run all the time only beside a phase whose own evidence suffices. */
enum gw_slack_verdict gw_slack_verdict(const struct gw_slack *slack) {
  bool cheap = gw_slack_least_speed(slack) >= needed(slack);
  return slack->tolerance <= 0                                                 ? GW_SLACK_NONE
         : cheap && gw_evidence_suffices(known(slack))                         ? GW_SLACK_CHEAP
         : gw_evidence_bound(known(slack), GW_EVIDENCE_ERRORS) < needed(slack) ? GW_SLACK_DEAR
                                                                               : GW_SLACK_UNKNOWN;
}

static bool is_cheap(const struct gw_slack *slack) {
  return gw_slack_verdict(slack) == GW_SLACK_CHEAP;
}

double gw_slack_credit(const struct gw_slack *slack) {
  return slack->tolerance * slack->alone_ns - slack->delay_ns;
}

/* ---- blocks ------------------------------------------------------------------------------- */

static double unit_ns(const struct gw_slack *slack) {
  double rate = gw_evidence_rate(known(slack));
  rate = rate > 0 ? rate : slack->apart_rate;
  double ns =
      rate > 0 ? UNIT_LAUNCHES * (slack->burst > 1 ? slack->burst : 1) / rate : UNIT_LEAST_NS;
  return ns < UNIT_LEAST_NS ? UNIT_LEAST_NS : ns > UNIT_MOST_NS ? UNIT_MOST_NS : ns;
}

static bool as_wanted(const struct gw_slack *slack) {
  return slack->together == (slack->scene == GW_TOGETHER) || slack->scene < GW_APART;
}

/* How long the task has worked since then. */
static double worked(const struct gw_slack *slack, uint64_t now, uint64_t since,
                     double rested_then) {
  double rested = slack->rested_ns - rested_then, ns = (double)(now - since);
  return ns > rested ? ns - rested : 0;
}

/* What such a task has submitted may be late, which it notices when it waits. */
static bool is_asynchronous(const struct gw_slack *slack) { return slack->rested_ns > 0; }

static void begin_part(struct gw_slack *slack, uint64_t now, uint64_t progress) {
  double ns = (double)(slack->end_ns - now), part = PART * unit_ns(slack);
  slack->part_ns = now;
  slack->part_rested = slack->rested_ns;
  slack->part_progress = progress;
  slack->until_ns = now + (uint64_t)(slack->together && ns > 1.5 * part ? part : ns);
}

/* A block begins to count when the gates are as wanted: under a daemon that takes a moment, and a
 * policy may refuse. */
static uint64_t settle(struct gw_slack *slack, uint64_t now, uint64_t progress) {
  if (as_wanted(slack)) {
    slack->measured = true;
    slack->draining = false;
    slack->slower = slack->faster = 0;
    slack->began_ns = now;
    slack->began_rested = slack->rested_ns;
    slack->began_with = slack->scene;
    slack->progress_at = progress;
    slack->end_ns = now + (uint64_t)slack->length_ns;
    begin_part(slack, now, progress);
    return slack->until_ns;
  }
  double waited = (double)(now - slack->wanted_ns) / 4;
  double wait = waited < LOOK_NS ? LOOK_NS : waited > UNIT_MOST_NS ? UNIT_MOST_NS : waited;
  slack->until_ns = now + (uint64_t)wait;
  return slack->until_ns;
}

static uint64_t begin_block(struct gw_slack *slack, bool together, double ns, uint64_t now) {
  slack->draining = !together && slack->scene == GW_TOGETHER;
  slack->together = together;
  slack->measured = false;
  slack->wanted_ns = now;
  slack->length_ns = ns;
  slack->until_ns = now + (together || slack->scene < GW_APART ? 0 : (uint64_t)slack->settle_ns);
  return slack->until_ns;
}

static bool is_check_due(const struct gw_slack *slack) {
  return slack->unchecked_ns > CHECK * unit_ns(slack);
}

/* How long the others may run now; 0: not worth it yet. Credit is x of the time alone, less the
 * delay; time together earns credit as well, as far as the task gets on. */
static double affordable(const struct gw_slack *slack) {
  double x = slack->tolerance, unit = unit_ns(slack), credit = gw_slack_credit(slack);
  bool check = is_check_due(slack);
  if (x <= 0 || (slack->apart_rate < 0 && (check || !is_cheap(slack)))) {
    return 0;
  }
  if (is_cheap(slack)) { /* a check has to be over before a short episode is */
    return credit < 0 ? 0 : check ? unit * EXPLORE_MOST : unit * OPEN;
  }
  bool dear = gw_slack_verdict(slack) == GW_SLACK_DEAR;
  if (dear && credit < slack->settle_ns - slack->drain_ns) {
    return 0; /* the others' last work may take a time slice, though less on average */
  }
  double least = unit * (dear ? SPEND_LEAST : EXPLORE_LEAST);
  double most = unit * (dear ? SPEND_MOST : EXPLORE_MOST);
  double price = 1 - gw_slack_least_speed(slack) * (1 + x); /* in credit */
  double ns = price > 0 ? credit / price - slack->drain_ns : credit < 0 ? 0 : most;
  return ns < least ? 0 : ns > most ? most : ns;
}

static uint64_t next(struct gw_slack *slack, uint64_t now) {
  if (slack->scene < GW_APART) { /* together or apart is the same now, and soon may not be */
    return begin_block(slack, is_cheap(slack), unit_ns(slack), now);
  }
  double ns = slack->together ? 0 : affordable(slack);
  return ns > 0 ? begin_block(slack, true, ns, now)
                : begin_block(slack, false, unit_ns(slack), now);
}

/* ---- an episode --------------------------------------------------------------------------- */

/* At first together, where that is known to be cheap: else most short requests would be alone. */
void gw_slack_begin(struct gw_slack *slack, uint64_t now, enum gw_slack_scene scene,
                    uint64_t beside) {
  slack->alone_ns = slack->delay_ns = 0;
  slack->charged_delay_ns = slack->seen_delay_ns = slack->seen_variance = 0;
  slack->corrected_ns = slack->pair.ns = 0;
  slack->pair.is_over = false;
  slack->apart_rate = slack->last_rate = -1;
  slack->charged_ns = now;
  slack->charged_rested = slack->rested_ns;
  slack->together = slack->begun = false;
  slack->scene = scene;
  slack->beside = beside;
  slack->phases.phase = slack->first;
  gw_phases_choose(&slack->phases, slack->beside, -1);
  slack->begins_with_check = is_cheap(slack) && is_check_due(slack);
  next(slack, now);
  slack->until_ns = now;
}

/* Time in which others ran at its beginning or its end counts as time together. A task that rests
 * or is held earns nothing. */
static void charge(struct gw_slack *slack, uint64_t now, enum gw_slack_scene scene) {
  double ns = worked(slack, now, slack->charged_ns, slack->charged_rested), together = 0;
  if (slack->scene == GW_TOGETHER || scene == GW_TOGETHER) {
    together = ns;
    slack->unchecked_ns += ns;
  } else if (slack->draining) {
    together = ns < slack->drain_ns ? ns : slack->drain_ns;
  }
  if (scene != GW_RESTS || slack->scene != GW_RESTS) {
    double delay = together * (1 - gw_slack_least_speed(slack));
    slack->alone_ns += ns - delay;
    slack->delay_ns += delay;
  }
  slack->charged_ns = now;
  slack->charged_rested = slack->rested_ns;
  slack->scene = scene;
}

/* Others have delayed the task by so much more, or less, than was charged. */
static void correct(struct gw_slack *slack, double more) {
  slack->alone_ns -= more;
  slack->delay_ns += more;
}

static double positive(double value) { return value > 0 ? value : 0; }

/* Watches a part of a block together that is known to be cheap. A part that was clearly slower than
 * all that is known costs what it must have cost. Returns whether to end the block and compare. */
static bool watch(struct gw_slack *slack, uint64_t now, uint64_t progress) {
  const struct gw_evidence *phase = known(slack);
  double ns = worked(slack, now, slack->part_ns, slack->part_rested);
  double apart = gw_evidence_rate(phase);
  double least = gw_slack_least_speed(slack);
  if (slack->scene != GW_TOGETHER || least <= 0 || apart <= 0 || ns <= 0) {
    return false;
  }
  double rate = (double)(progress - slack->part_progress) / ns;
  double spread = gw_evidence_spread(phase) / sqrt(PART) + PARTIAL / ns;
  double speed = (rate + SPREAD * spread) / apart;
  correct(slack, positive(ns * (least - speed)));
  double usual = apart * gw_slack_speed(slack), deviation = (rate - usual) / spread;
  slack->slower = positive(slack->slower - deviation - DRIFT);
  slack->faster = positive(slack->faster + deviation - DRIFT);
  return slack->slower > UNUSUAL || slack->faster > UNUSUAL || gw_slack_credit(slack) < 0;
}

/* Blocks are charged at the price of the most expensive work that shares their evidence. What the
 * blocks of this episode show counts instead, as far as it differs clearly: a greater delay sooner
 * than a smaller one. */
static void charge_block(struct gw_slack *slack, double ns, double rate) {
  const struct gw_evidence *phase = known(slack);
  double speed = gw_slack_speed(slack), usual = gw_evidence_rate(phase);
  usual = usual > 0 ? usual : slack->apart_rate;
  if (usual <= 0) {
    return;
  }
  double noise = ns * gw_evidence_noise(phase);
  slack->charged_delay_ns += ns * (1 - gw_slack_least_speed(slack));
  slack->seen_delay_ns += ns * (1 - speed - (rate - speed * slack->apart_rate) / usual);
  slack->seen_variance += noise * noise;
  double more = slack->seen_delay_ns - slack->charged_delay_ns;
  double chance = sqrt(slack->seen_variance) * (more > 0 ? SPREAD : GW_EVIDENCE_ERRORS);
  more = more > chance ? more - chance : more < -chance ? more + chance : 0;
  correct(slack, more - slack->corrected_ns);
  slack->corrected_ns = more;
}

/* The variance of the number of launches in a block, over its mean: 1 where they come at random.
 * From the differences of successive blocks, so that phases do not count. */
static void note_burst(struct gw_slack *slack, double rate, double ns) {
  double sum = (rate + slack->last_rate) * ns, difference = (rate - slack->last_rate) * ns;
  if (rate >= 0 && slack->last_rate >= 0 && sum > 0) {
    slack->burst += (difference * difference / sum - slack->burst) / 8;
  }
  slack->last_rate = rate;
}

/* The work of others goes on after a block together, and what the task has submitted in the block
 * may be late only when the task waits for it. So what the task loses until others have stopped
 * counts as lost in the block. */
static void finish_pair(struct gw_slack *slack, uint64_t now, uint64_t progress) {
  double ns = slack->pair.ns, after = worked(slack, now, slack->pair.until_ns, slack->pair.rested);
  if (ns <= 0 || slack->apart_rate < 0) {
    return;
  }
  double lost = after * slack->apart_rate - (double)(progress - slack->pair.progress);
  double rate = positive(slack->pair.rate - (is_asynchronous(slack) ? lost / ns : 0));
  slack->pair.ns = 0;
  slack->pair.rate = rate;
  slack->pair.is_over = true;
  charge_block(slack, ns, rate);
}

/* A block together is compared with the block apart before it, and with the one after it where that
 * is of the same episode: requests launch ever faster, or ever more slowly. */
static void add_pair(struct gw_slack *slack, double after) {
  double before = slack->apart_rate;
  if (slack->pair.is_over && before >= 0) {
    struct gw_pair pair = {
        .before = before,
        .after = after >= 0 ? after : before,
        .together = slack->pair.rate,
        .weight = slack->pair.units,
    };
    gw_phases_add(&slack->phases, needed(slack), &pair);
  }
  slack->pair.is_over = false;
}

static void compare(struct gw_slack *slack, uint64_t now, uint64_t progress) {
  double ns = worked(slack, now, slack->began_ns, slack->began_rested), units = ns / unit_ns(slack);
  double rate = (double)(progress - slack->progress_at) / ns;
  bool same =
      slack->scene == slack->began_with || (slack->scene == GW_RESTS && is_asynchronous(slack));
  bool counts = same && slack->began_with >= GW_APART && ns > (double)(now - slack->began_ns) / 2;
  if (!slack->together) {
    add_pair(slack, counts ? rate : -1);
    note_burst(slack, counts ? rate : -1, ns);
    slack->apart_rate = counts && gw_phases_choose(&slack->phases, slack->beside, rate) ? rate : -1;
    bool early = slack->alone_ns + slack->delay_ns < FIRST * unit_ns(slack);
    if (counts && early && !slack->begun) {
      slack->begun = true;
      slack->first = slack->phases.phase;
    }
  } else if (counts && slack->apart_rate >= 0) {
    slack->pair.ns = ns;
    slack->pair.rate = rate;
    slack->pair.units = units < 1 ? units : 1;
    slack->pair.until_ns = now;
    slack->pair.rested = slack->rested_ns;
    slack->pair.progress = progress;
    slack->unchecked_ns = 0;
  }
}

/* Other tasks have got work, or have none any more. */
static uint64_t begin_beside(struct gw_slack *slack, uint64_t beside, uint64_t now) {
  slack->beside = beside;
  slack->apart_rate = -1;
  slack->pair.ns = 0;
  slack->pair.is_over = false;
  gw_phases_choose(&slack->phases, slack->beside, -1);
  slack->together = slack->together && !is_cheap(slack); /* `next` goes on where it is cheap */
  return next(slack, now);
}

uint64_t gw_slack_step(struct gw_slack *slack, uint64_t now, uint64_t progress,
                       enum gw_slack_scene scene, uint64_t beside) {
  bool others = scene >= GW_APART && beside != slack->beside;
  if (now < slack->until_ns && !others) {
    return slack->until_ns;
  }
  charge(slack, now, scene);
  if (others) {
    return begin_beside(slack, beside, now);
  }
  if (!slack->measured) {
    finish_pair(slack, now, progress);
    return settle(slack, now, progress);
  }
  bool ends = now >= slack->end_ns;
  if (slack->together && is_cheap(slack) && watch(slack, now, progress)) {
    if (!ends) { /* a block that was cut short for what it showed shows nothing: compare soon */
      slack->apart_rate = -1;
      slack->unchecked_ns += CHECK * unit_ns(slack);
    }
    ends = true;
  }
  if (!ends) {
    begin_part(slack, now, progress);
    return slack->until_ns;
  }
  if (now > slack->began_ns) {
    compare(slack, now, progress);
  }
  return next(slack, now);
}

void gw_slack_rested(struct gw_slack *slack, uint64_t ns) {
  slack->rested_ns = (double)ns > slack->rested_ns ? (double)ns : slack->rested_ns;
}

/* A block that the end cuts short shows nothing. A check that found no room in this episode would
 * find none in the next ones, and hold the others in all of them. */
void gw_slack_end(struct gw_slack *slack, uint64_t now) {
  charge(slack, now, slack->scene);
  double ns = slack->alone_ns + slack->delay_ns, unit = unit_ns(slack);
  if (slack->begins_with_check && is_check_due(slack) && ns < CHECK_UNITS * unit) {
    slack->unchecked_ns = CHECK * unit - POSTPONED * ns;
  }
}

/* ---- for simulations ---------------------------------------------------------------------- */

struct gw_slack *gw_slack_new(double tolerance, uint64_t drain_ns, uint64_t settle_ns) {
  struct gw_slack *slack = malloc(sizeof *slack);
  if (slack != NULL) {
    gw_slack_init(slack, tolerance, drain_ns, settle_ns);
  }
  return slack;
}

void gw_slack_free(struct gw_slack *slack) { free(slack); }

int gw_slack_together(const struct gw_slack *slack) { return slack->together; }
