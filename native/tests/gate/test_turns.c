/* Turns: a task that has been held for max_wait runs for a quantum, and its holders yield. */
#include "program.h"

static void begin_with(const char *max_wait_ms, const char *quantum_ms) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", max_wait_ms, 1);
  setenv("GIVEWAY_QUANTUM_MS", quantum_ms, 1);
}

static void launch(gw_task *task) {
  gw_begin(task);
  gw_end(task);
}

static bool closed(struct program *program) { return info_of_program(program).gate_closed; }

/* One quantum in each max_wait, and nothing else. */
static void nobody_starves(void) {
  begin_with("100", "10");
  gw_task *high = join(open_page(), 10);
  struct program *low = start_program(0);
  gw_begin(high);
  for (int turn = 0; turn < 10; turn++) {
    ask(low, launch);
    clock_advance(100 * MS - 1);
    CHECK(!finished(low) && closed(low) && !info_of(high).gate_closed);
    clock_advance(1);
    CHECK(until(finished(low), 60000) && !closed(low) && info_of(high).gate_closed);
    clock_advance(9 * MS);
    ask(low, launch);
    CHECK(finished(low)); /* still its turn */
    clock_advance(1 * MS);
    CHECK(closed(low) && !info_of(high).gate_closed);
  }
  CHECK(info_of(high).preemptions == 10 && info_of_program(low).held == 10);
}

/* Only an active task has a turn: a task without work has not waited. */
static void max_wait_counts_from_when_there_is_work(void) {
  begin_with("100", "10");
  gw_task *high = join(open_page(), 10);
  struct program *low = start_program(0);
  gw_begin(high);
  clock_advance(500 * MS);
  ask(low, launch);
  clock_advance(100 * MS - 1);
  CHECK(!finished(low));
  clock_advance(1);
  CHECK(until(finished(low), 60000));
}

static void a_turn_is_not_shared_with_who_made_it_wait(void) {
  begin_with("100", "20");
  struct program *high = start_program(10), *low = start_program(0);
  ask(high, launch);
  ask(low, gw_begin);
  clock_advance(100 * MS);
  CHECK(until(finished(low), 60000));
  ask(high, gw_begin);
  clock_advance(20 * MS - 1);
  CHECK(!finished(high));
  clock_advance(1);
  CHECK(until(finished(high), 60000) && closed(low));
}

static void a_turn_that_is_not_used_up_ends_with_its_task(void) {
  begin_with("100", "60000");
  struct program *high = start_program(10), *low = start_program(0);
  ask(high, launch);
  ask(low, launch);
  clock_advance(100 * MS);
  CHECK(until(finished(low), 60000));
  ask(high, gw_begin);
  CHECK(!finished(high));
  ask(low, gw_idle);
  CHECK(until(finished(high), 60000));
  ask(low, gw_begin); /* the wait for a turn starts anew */
  CHECK(!finished(low) && !closed(high));
}

static void who_comes_in_a_turn_runs_at_once(void) {
  begin_with("100", "1000");
  gw_page *page = open_page();
  gw_task *high = join(page, 10), *higher = join(page, 20);
  struct program *low = start_program(0);
  gw_begin(high);
  ask(low, gw_begin);
  clock_advance(100 * MS);
  CHECK(info_of(high).gate_closed);
  gw_begin(higher);
  CHECK(!info_of(higher).gate_closed && info_of(high).gate_closed);
  gw_end(higher);
  gw_idle(higher);
  CHECK(info_of(high).gate_closed && !closed(low));
  clock_advance(1000 * MS);
  CHECK(!info_of(high).gate_closed && closed(low));
}

static void a_killed_turn_ends(void) {
  begin_with("0", "60000"); /* the urgent one asks for no turn of its own */
  struct program *high = start_program(10);
  ask(high, launch);
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  struct program *low = start_program(0);
  ask(low, gw_begin);
  clock_advance(100 * MS);
  CHECK(until(finished(low), 60000));
  ask(high, launch);
  CHECK(!finished(high));
  kill_program(low);
  clock_advance(15 * MS);
  CHECK(until(finished(high), 60000));
}

/* A stopped task cannot end its turn. It ends after the stall guard's 250 ms and a look. */
static void a_stopped_turn_ends(void) {
  begin_with("0", "60000");
  struct program *high = start_program(10);
  ask(high, launch);
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  struct program *low = start_program(0);
  ask(low, gw_begin);
  clock_advance(100 * MS);
  CHECK(until(finished(low), 60000));
  ask(high, launch);
  stop_program(low);
  clock_advance(235 * MS);
  CHECK(!finished(high));
  clock_advance(30 * MS);
  CHECK(until(finished(high), 60000));
}

/* A task's own watcher ends its turn. Where that watcher is stopped, held tasks end the turn. */
static void a_turn_that_is_over_while_its_task_is_stopped(void) {
  begin_with("0", "20");
  struct program *high = start_program(10);
  ask(high, launch);
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  struct program *low = start_program(0);
  ask(low, gw_begin);
  clock_advance(100 * MS);
  CHECK(until(finished(low), 60000));
  ask(high, launch);
  stop_program(low);
  clock_advance(15 * MS);
  CHECK(!finished(high));
  clock_advance(15 * MS);
  CHECK(until(finished(high), 60000));
}

/* The holders lose at most two quanta of every max_wait, however many tasks wait. */
static void many_who_starve_take_their_turns_together(void) {
  enum { OTHERS = 8 };
  begin_with("200", "10");
  gw_task *high = join(open_page(), 10);
  struct program *low[OTHERS];
  for (int i = 0; i < OTHERS; i++) {
    low[i] = start_program(0);
  }
  gw_begin(high);
  for (int i = 0; i < OTHERS; i++) {
    ask(low[i], launch);
    clock_advance(24 * MS);
  }
  uint64_t before = info_of(high).preemptions;
  unsigned launches = 0;
  for (int ms = 0; ms < 2000; ms++) {
    clock_advance(MS);
    for (int i = 0; i < OTHERS; i++) {
      if (finished(low[i]) && closed(low[i])) { /* its turn is over: it waits for the next */
        launches++;
        ask(low[i], launch);
      }
    }
  }
  uint64_t turns = info_of(high).preemptions - before;
  CHECK(turns >= 9 && turns <= 20);
  CHECK(launches >= 9 * OTHERS);
}

/* Holds the page's lock for a while, as a slow process does. */
static void lock_raw(struct gw_page_layout *page) {
  CHECK(pthread_mutex_lock(&page->header.lock) == 0);
}

static void unlock_raw(struct gw_page_layout *page) {
  CHECK(pthread_mutex_unlock(&page->header.lock) == 0);
}

/* Two tasks ask for a turn before one of them has it: both have the turn. */
static void two_who_starve_at_once_keep_their_turn(void) {
  begin_with("1500", "1000");
  struct program *low[] = {start_program(0), start_program(0)};
  gw_task *high = join(open_page(), 10);
  ask(low[0], launch);
  ask(low[1], launch);
  gw_begin(high);
  ask(low[0], launch);
  ask(low[1], launch);
  clock_advance(1490 * MS);
  struct gw_page_layout *page = raw_page();
  lock_raw(page);
  clock_advance(10 * MS);
  CHECK(!finished(low[0]) && !finished(low[1])); /* for 50 ms they wait for the lock */
  unlock_raw(page);
  clock_settle();
  CHECK(until(finished(low[0]) && finished(low[1]), 60000));
  for (int i = 0; i < 2; i++) {
    CHECK(!closed(low[i]));
    ask(low[i], launch);
    CHECK(finished(low[i]));
  }
  CHECK(info_of(high).preemptions == 1);
}

static void who_rested_when_a_turn_began_runs_at_once(void) {
  begin_with("1000", "5000");
  gw_page *page = open_page();
  gw_task *busy = join(page, 10);
  struct program *service = start_program(10), *low = start_program(0);
  gw_begin(busy);
  ask(service, launch); /* and counts as active for some time to come */
  ask(low, launch);
  clock_advance(1000 * MS);
  CHECK(info_of(busy).gate_closed && closed(service));
  ask(service, gw_idle);
  ask(service, gw_begin);
  CHECK(finished(service) && info_of(busy).gate_closed);
}

/* A row that wants no turns does not share the turn of another one. */
static void who_is_patient_gets_no_turn(void) {
  begin_with("0", "1000");
  struct program *patient = start_program(0);
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  gw_task *high = join(open_page(), 10);
  struct program *low = start_program(0);
  gw_begin(high);
  ask(patient, launch);
  ask(low, launch);
  clock_advance(100 * MS);
  CHECK(until(finished(low), 60000) && !finished(patient));
}

/* Its device would hold the launch, and no watcher would check the hold. */
static void who_cannot_become_active_waits_at_the_gate(void) {
  begin_with("0", "10");
  gw_task *high = join(open_page(), 10);
  struct program *low = start_program(0);
  gw_begin(high);
  struct gw_page_layout *raw = raw_page();
  lock_raw(raw);
  ask(low, gw_admit_held);
  clock_advance(300 * MS);
  CHECK(!finished(low));
  unlock_raw(raw);
  gw_end(high);
  gw_idle(high);
  clock_advance(2000 * MS); /* until the lock is tried again */
  CHECK(until(finished(low), 60000));
}

static const struct test_case cases[] = {
    {"nobody starves", nobody_starves},
    {"max_wait counts from when there is work", max_wait_counts_from_when_there_is_work},
    {"a turn is not shared", a_turn_is_not_shared_with_who_made_it_wait},
    {"a turn ends with its task", a_turn_that_is_not_used_up_ends_with_its_task},
    {"who comes in a turn runs at once", who_comes_in_a_turn_runs_at_once},
    {"a killed turn ends", a_killed_turn_ends},
    {"a stopped turn ends", a_stopped_turn_ends},
    {"a turn is over while its task is stopped", a_turn_that_is_over_while_its_task_is_stopped},
    {"many who starve take their turns together", many_who_starve_take_their_turns_together},
    {"two who starve at once keep their turn", two_who_starve_at_once_keep_their_turn},
    {"who rested when a turn began runs at once", who_rested_when_a_turn_began_runs_at_once},
    {"who is patient gets no turn", who_is_patient_gets_no_turn},
    {"who cannot become active waits at the gate", who_cannot_become_active_waits_at_the_gate},
};

RUN_CASES(cases, 240)
