/* When what ran as a gate closed had stopped: exactly, or not said. */
#include "harness.h"

#include <pthread.h>

static gw_task *low, *high;

static void start(void) {
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  gw_page *page = open_page();
  low = join(page, 0);
  high = join(page, 10);
}

static void compute_ms(unsigned ms) {
  for (uint64_t end = now_ns() + ms * MS; now_ns() < end;) {
  }
}

static void *launch(void *unused) {
  (void)unused;
  gw_begin(low);
  gw_end(low);
  return NULL;
}

/* The launch that comes now is held, until the urgent task is idle. */
static void come_to_the_gate(void) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, launch, NULL) == 0);
  for (uint64_t end = now_ns() + 5000 * MS; info_of(low).waiters == 0;) {
    CHECK(now_ns() < end);
    usleep(200);
  }
  gw_end(high);
  gw_idle(high);
  pthread_join(thread, NULL);
}

static void a_launch_that_runs_on_says_when_it_ended(void) {
  start();
  gw_begin(low);
  gw_begin(high);
  struct gw_task_info closed = info_of(low);
  CHECK(closed.gate_closed && closed.preemptions == 1 && closed.closed_ns != 0);
  CHECK(closed.stopped_ns == 0);
  compute_ms(30);
  uint64_t before = now_ns();
  gw_end(low);
  uint64_t after = now_ns();
  sleep_ms(30); /* which it does not need the device for */
  come_to_the_gate();
  struct gw_task_info info = info_of(low);
  CHECK(info.closed_ns == closed.closed_ns && info.closed_ns + 30 * MS <= before);
  CHECK(before <= info.stopped_ns && info.stopped_ns <= after);
}

static void where_nothing_ran_it_took_no_time(void) {
  start();
  gw_begin(low);
  gw_end(low);
  gw_begin(high);
  sleep_ms(30);
  come_to_the_gate();
  CHECK(info_of(low).preemptions == 1 && info_of(low).stopped_ns == info_of(low).closed_ns);
}

static void without_a_launch_nothing_is_said(void) {
  start();
  gw_begin(low);
  gw_end(low);
  gw_begin(high);
  sleep_ms(30);
  gw_end(high);
  gw_idle(high);
  gw_begin(low);
  gw_end(low);
  CHECK(info_of(low).preemptions == 1 && info_of(low).stopped_ns == 0);
}

static int never(void *context) { return context != NULL; }

static void nor_where_only_the_device_knows(void) {
  start();
  gw_page *page = open_page();
  struct gw_task_options options = {.name = "device", .busy = never};
  gw_leave(low);
  CHECK(gw_join(page, &options, &low) == GW_OK);
  gw_begin(low);
  gw_begin(high);
  gw_end(low);
  come_to_the_gate();
  CHECK(info_of(low).preemptions == 1 && info_of(low).stopped_ns == 0);
}

static const struct test_case cases[] = {
    {"a launch that runs on says when it ended", a_launch_that_runs_on_says_when_it_ended},
    {"where nothing ran it took no time", where_nothing_ran_it_took_no_time},
    {"without a launch nothing is said", without_a_launch_nothing_is_said},
    {"nor where only the device knows", nor_where_only_the_device_knows},
};

RUN_CASES(cases, 20)
