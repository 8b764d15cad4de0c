/* A task with slack and one beside it, on the clock of the test, and on a device that both slow
 * down. */
#include <math.h>

#include "program.h"

static double step_ns = 200e3; /* coarse, for each step takes real time */
#define LAUNCH (50e3)          /* nanoseconds alone */

static gw_task *urgent;
static struct program *low;
static double left; /* the work of the urgent task's launch that runs */

static void begin_with(const char *attributes, int (*busy)(void *)) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "2", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  if (attributes != NULL) {
    setenv("GIVEWAY_ATTRIBUTES", attributes, 1);
  }
  struct gw_task_options options = {.name = "urgent", .priority = 10, .busy = busy};
  CHECK(gw_join(open_page(), &options, &urgent) == GW_OK);
  clock_await_sleepers(1); /* its watcher */
  unsetenv("GIVEWAY_ATTRIBUTES");
  low = start_program(0);
  left = LAUNCH;
}

static bool low_runs(void) { return !info_of_program(low).gate_closed; }

struct result {
  double alone, delay, together; /* milliseconds */
};

/* The urgent task works for so long. While the other runs beside it, at that speed. */
static struct result work(double ms, double speed) {
  struct result result = {0};
  for (double t = 0; t < ms; t += step_ns / 1e6) {
    bool together = low_runs();
    double done = step_ns * (together ? speed : 1);
    clock_advance((uint64_t)step_ns);
    result.alone += done / 1e6;
    result.delay += (step_ns - done) / 1e6;
    result.together += together ? step_ns / 1e6 : 0;
    for (left -= done; left <= 0; left += LAUNCH) {
      gw_admit(urgent);
    }
  }
  return result;
}

static void where_it_costs_little_the_other_runs_beside_it(void) {
  begin_with("slowdown=10%", NULL);
  ask(low, gw_begin);
  gw_begin(urgent);
  clock_settle();
  CHECK(!low_runs());
  work(300, 0.98);
  struct result later = work(100, 0.98);
  CHECK(later.together > 85 && info_of(urgent).held == 0);
}

static void where_it_costs_much_the_other_gets_what_is_tolerated(void) {
  begin_with("slowdown=10%", NULL);
  ask(low, gw_begin);
  gw_begin(urgent);
  step_ns = 50e3;
  struct result all = work(300, 0.4);
  CHECK(all.delay <= 0.1 * all.alone + 0.5);
  CHECK(all.together > 20); /* of some 45 that the credit pays for */
}

static void without_tolerance_the_other_is_held(void) {
  begin_with(NULL, NULL);
  ask(low, gw_begin);
  gw_begin(urgent);
  clock_settle();
  CHECK(work(100, 0.98).together == 0);
}

static uint64_t ticket_of_urgent(void) { return info_of(urgent).ticket; }

static void tolerance_changes_while_the_task_runs(void) {
  begin_with("slowdown=10%", NULL);
  ask(low, gw_begin);
  gw_begin(urgent);
  work(400, 0.98);
  CHECK(gw_set_attributes(open_page(), ticket_of_urgent(), "weight=2") == GW_OK);
  work(25, 0.98); /* until the watcher has looked */
  CHECK(work(50, 0.98).together == 0);
  CHECK(gw_set_attributes(open_page(), ticket_of_urgent(), "weight=2 slowdown=10%") == GW_OK);
  work(300, 0.98);
  CHECK(work(100, 0.98).together > 85);
}

#define LAST 10
#define REQUESTS 600 /* after 80 as a rule; how threads interleave changes what is measured */

/* Requests with pauses: the gate of the other does not close for each. */
static void a_known_task_begins_beside_others(void) {
  double together[LAST] = {0};
  bool beside[LAST] = {false};
  begin_with("slowdown=10%", NULL);
  ask(low, gw_begin);
  for (int request = 0; request < REQUESTS; request++) {
    double sum = 0;
    int begun_beside = 0;
    gw_begin(urgent);
    beside[request % LAST] = low_runs();
    together[request % LAST] = work(12, 0.98).together;
    gw_end(urgent);
    for (int ms = 0; ms < 100 && (ms < 10 || !low_runs()); ms++) {
      clock_advance(MS); /* 10 ms are longer than the idle timeout */
    }
    CHECK(low_runs());
    for (int i = 0; i < LAST; i++) {
      sum += together[i];
      begun_beside += beside[i];
    }
    if (sum > 90 && begun_beside >= LAST / 2) { /* of 120; the rest begins with a block apart */
      return;
    }
  }
  CHECK(!"the other runs beside the requests");
}

static int always_busy(void *context) {
  (void)context;
  return 1;
}

/* How long the other is held at least between two blocks beside a task on a device, in
 * milliseconds: the block apart and, before it, the wait for the other's last work. */
static double shortest_hold(int side_by_side) {
  struct gw_task_options options = {
      .name = "device", .priority = 10, .busy = always_busy, .side_by_side = side_by_side};
  clock_stop();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_ATTRIBUTES", "slowdown=30%", 1);
  CHECK(gw_join(open_page(), &options, &urgent) == GW_OK);
  unsetenv("GIVEWAY_ATTRIBUTES");
  low = start_program(0);
  left = LAUNCH;
  ask(low, gw_begin);
  gw_admit(urgent);
  clock_settle();
  double held = 0, shortest = 1e9;
  int holds = 0;
  for (int i = 0; i < 1000; i++) {
    bool together = work(0.2, 0.98).together > 0;
    if (together && held > 0 && holds++ > 0) { /* the first is the wait for credit */
      shortest = fmin(shortest, held);
    }
    held = together ? 0 : held + 0.2;
  }
  CHECK(holds > 5);
  return shortest;
}

static void a_device_that_serves_in_turn_is_waited_for(void) { CHECK(shortest_hold(0) > 3.2); }

/* As for clients of MPS. */
static void a_device_that_runs_side_by_side_is_not_waited_for(void) { CHECK(shortest_hold(1) < 3); }

/* A task of middle priority without slack holds the lowest one, whoever runs above. */
static void slack_is_for_the_next_class_first(void) {
  begin_with("slowdown=10%", NULL);
  struct program *middle = start_program(5);
  ask(low, gw_begin);
  ask(middle, gw_begin);
  gw_begin(urgent);
  work(400, 0.98);
  double together = 0;
  for (int i = 0; i < 250; i++) {
    work(0.2, 0.98);
    together += info_of_program(middle).gate_closed ? 0 : 0.2;
    CHECK(!low_runs());
  }
  CHECK(together > 35);
}

/* Kernels are shorter than the time in which the host launches one. */
static int works_a_third_of_the_time(void *context) {
  static _Atomic unsigned looks;
  (void)context;
  return atomic_fetch_add(&looks, 1) % 3 == 0;
}

static double requests_bound_by_the_host(int count) {
  const double pauses_ms[] = {0.4, 1, 0.4, 1.6, 5}; /* at the last one the task becomes idle */
  double together = 0;
  for (int i = 0; i < count; i++) {
    gw_work(urgent);
    gw_admit(urgent);
    together += work(5, 1).together;
    gw_rest(urgent);
    clock_advance((uint64_t)(pauses_ms[i % 5] * MS));
  }
  return together / (5 * count);
}

/* The device is free at most looks, and yet the task does not rest. */
static void a_program_bound_by_the_host_shares_its_device(void) {
  begin_with("slowdown=10%", works_a_third_of_the_time);
  ask(low, gw_begin);
  requests_bound_by_the_host(120);
  CHECK(requests_bound_by_the_host(25) > 0.75);
}

static const struct test_case cases[] = {
    {"where it costs little", where_it_costs_little_the_other_runs_beside_it},
    {"where it costs much", where_it_costs_much_the_other_gets_what_is_tolerated},
    {"without tolerance the other is held", without_tolerance_the_other_is_held},
    {"tolerance changes while the task runs", tolerance_changes_while_the_task_runs},
    {"a known task begins beside others", a_known_task_begins_beside_others},
    {"a program bound by the host", a_program_bound_by_the_host_shares_its_device},
    {"a device that serves in turn is waited for", a_device_that_serves_in_turn_is_waited_for},
    {"a device that runs side by side is not", a_device_that_runs_side_by_side_is_not_waited_for},
    {"slack is for the next class first", slack_is_for_the_next_class_first},
};

RUN_CASES(cases, 240)
