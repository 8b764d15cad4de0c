/* The time at which the work that ran at a closing had stopped: exact, or not stated. */
#include "program.h"

static gw_task *high;

static void start(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  high = join(open_page(), 10);
}

static void launch(gw_task *task) {
  gw_begin(task);
  gw_end(task);
}

/* The launch that comes now is held, until the urgent task is idle. */
static void come_to_the_gate(struct program *low) {
  ask(low, launch);
  CHECK(!finished(low) && info_of_program(low).waiters >= 1);
  gw_end(high);
  gw_idle(high);
  CHECK(until(finished(low), 60000));
}

static void a_launch_that_runs_on_says_when_it_ended(void) {
  start();
  struct program *low = start_program(0);
  ask(low, gw_begin);
  gw_begin(high);
  struct gw_task_info closed = info_of_program(low);
  CHECK(closed.gate_closed && closed.preemptions == 1 && closed.closed_ns == gw_now());
  CHECK(closed.stopped_ns == 0);
  clock_advance(30 * MS);
  ask(low, gw_end);
  clock_advance(30 * MS); /* which it does not need the device for */
  come_to_the_gate(low);
  struct gw_task_info info = info_of_program(low);
  CHECK(info.closed_ns == closed.closed_ns && info.stopped_ns == closed.closed_ns + 30 * MS);
}

static void the_last_thread_that_stops_counts(void) {
  start();
  gw_task *task = join(open_page(), 0);
  struct program *first = start_thread(task), *second = start_thread(task);
  ask(first, gw_begin);
  ask(second, gw_begin);
  gw_begin(high);
  uint64_t closed = gw_now();
  clock_advance(10 * MS);
  ask(first, gw_end);
  ask(first, launch);
  CHECK(info_of(task).stopped_ns == closed + 10 * MS);
  clock_advance(10 * MS);
  ask(second, gw_end);
  come_to_the_gate(second);
  CHECK(until(finished(first), 60000) && info_of(task).stopped_ns == closed + 20 * MS);
}

static void where_nothing_ran_it_took_no_time(void) {
  start();
  struct program *low = start_program(0);
  ask(low, launch);
  clock_advance(10 * MS);
  gw_begin(high);
  clock_advance(30 * MS);
  come_to_the_gate(low);
  struct gw_task_info info = info_of_program(low);
  CHECK(info.preemptions == 1 && info.stopped_ns == info.closed_ns && info.closed_ns != 0);
}

static void without_a_launch_nothing_is_said(void) {
  start();
  struct program *low = start_program(0);
  ask(low, launch);
  gw_begin(high);
  clock_advance(30 * MS);
  gw_end(high);
  gw_idle(high);
  ask(low, launch);
  struct gw_task_info info = info_of_program(low);
  CHECK(finished(low) && info.preemptions == 1 && info.stopped_ns == 0);
}

static int never(void *context) { return context != NULL; }

static void nor_where_only_the_device_knows(void) {
  start();
  gw_task *task;
  struct gw_task_options options = {.name = "device", .busy = never};
  CHECK(gw_join(open_page(), &options, &task) == GW_OK);
  struct program *low = start_thread(task);
  ask(low, gw_begin);
  gw_begin(high);
  ask(low, gw_end);
  come_to_the_gate(low);
  CHECK(info_of(task).preemptions == 1 && info_of(task).stopped_ns == 0);
}

static const struct test_case cases[] = {
    {"a launch that runs on says when it ended", a_launch_that_runs_on_says_when_it_ended},
    {"the last thread that stops counts", the_last_thread_that_stops_counts},
    {"where nothing ran it took no time", where_nothing_ran_it_took_no_time},
    {"without a launch nothing is said", without_a_launch_nothing_is_said},
    {"nor where only the device knows", nor_where_only_the_device_knows},
};

RUN_CASES(cases, 240)
