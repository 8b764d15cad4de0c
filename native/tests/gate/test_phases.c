/* What is known about time together: of one phase, of all phases, and of pairs that share a block.
 */
#include <math.h>

#include "../../gate/phases.h"

#include "harness.h"

#define NEEDED (1 / 1.1)

static void add(struct gw_phases *phases, double apart, double together) {
  struct gw_pair pair = {.before = apart, .after = apart, .together = together, .weight = 1};
  gw_phases_choose(phases, 1, apart);
  gw_phases_add(phases, NEEDED, &pair);
}

static void a_new_phase_costs_what_all_phases_do(void) {
  struct gw_phases phases = {0};
  for (int i = 0; i < 20; i++) {
    add(&phases, 50, 49);
  }
  CHECK(fabs(gw_phases_least_speed(&phases, NEEDED) - 0.98) < 0.01);
  CHECK(!gw_phases_choose(&phases, 1, 150)); /* launches three times as often */
  CHECK(!gw_evidence_suffices(gw_phases_now(&phases)));
  CHECK(fabs(gw_phases_least_speed(&phases, NEEDED) - 0.98) < 0.01);
}

static void a_new_phase_that_is_slow_costs_all_of_its_time(void) {
  struct gw_phases phases = {0};
  for (int i = 0; i < 20; i++) {
    add(&phases, 50, i % 2 == 0 ? 45 : 53);
  }
  add(&phases, 150, 130);
  CHECK(gw_phases_least_speed(&phases, NEEDED) == 0);
  for (int i = 0; i < 20; i++) {
    add(&phases, 150, 130);
  }
  CHECK(fabs(gw_phases_least_speed(&phases, NEEDED) - 0.867) < 0.01);
}

static void nothing_is_known_beside_other_tasks(void) {
  struct gw_phases phases = {0};
  for (int i = 0; i < 20; i++) {
    add(&phases, 50, 49);
  }
  gw_phases_choose(&phases, 2, -1);
  CHECK(gw_phases_least_speed(&phases, NEEDED) == 0);
  gw_phases_choose(&phases, 1, -1);
  CHECK(fabs(gw_phases_least_speed(&phases, NEEDED) - 0.98) < 0.01);
}

static void work_that_gets_faster_evenly_is_not_faster_together(void) {
  struct gw_evidence evidence = {0};
  for (int i = 0; i < 20; i++) {
    struct gw_pair pair = {.before = 20, .after = 40, .together = 30, .weight = 1};
    gw_evidence_add(&evidence, NEEDED, &pair);
  }
  CHECK(fabs(gw_evidence_speed(&evidence) - 1) < 1e-9);
  CHECK(fabs(gw_evidence_rate(&evidence) - 30) < 1e-9);
}

static uint64_t random_state = 1;

static double uniform(void) { /* Knuth's linear congruential generator */
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}

/* Its chance makes the pairs before it and after it alike, which is not a price that varies. */
static void a_block_apart_belongs_to_two_pairs(void) {
  struct gw_evidence evidence = {0};
  double before = 50;
  for (int i = 0; i < 1000; i++) {
    double after = 50 * (0.7 + 0.6 * uniform());
    struct gw_pair pair = {.before = before, .after = after, .together = 48.5, .weight = 1};
    gw_evidence_add(&evidence, NEEDED, &pair);
    before = after;
  }
  double bound = gw_evidence_bound(&evidence, -GW_EVIDENCE_ERRORS);
  CHECK(bound > NEEDED);
  CHECK(gw_evidence_worst(&evidence) > bound - 0.05);
}

static const struct test_case cases[] = {
    {"a new phase", a_new_phase_costs_what_all_phases_do},
    {"a new phase that is slow", a_new_phase_that_is_slow_costs_all_of_its_time},
    {"beside other tasks", nothing_is_known_beside_other_tasks},
    {"work that gets faster", work_that_gets_faster_evenly_is_not_faster_together},
    {"a block of two pairs", a_block_apart_belongs_to_two_pairs},
};

RUN_CASES(cases, 60)
