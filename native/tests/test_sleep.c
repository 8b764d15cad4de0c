/* What the process that decides sleeps on. Each case also without futex_waitv, as before
 * Linux 5.16.
 */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>

#define LONG (20000 * MS)

static gw_page *pages[2];
static uint8_t ready[3];
static gw_sleeper *sleeper;
static int ends[2];

static int asleep(uint64_t timeout_ns) { return gw_sleep(sleeper, pages, 2, timeout_ns, ready); }

static void seen(gw_page *page) {
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) >= 0);
}

static void start(void) {
  CHECK(gw_page_open("cpu", 1, &pages[0]) == GW_OK);
  CHECK(gw_page_open("other", 1, &pages[1]) == GW_OK);
  CHECK(pipe2(ends, O_NONBLOCK) == 0);
  CHECK(gw_sleeper_new(ends[0], &sleeper) == GW_OK);
  for (int i = 0; i < 2; i++) {
    CHECK(gw_decider_take(pages[i]) == GW_OK);
    seen(pages[i]);
  }
}

static void nothing_happens_until_the_time_is_up(void) {
  start();
  uint64_t began = now_ns();
  int n = asleep(60 * MS);
  while (n == 0 && now_ns() - began < 60 * MS) {
    n = asleep(began + 60 * MS - now_ns()); /* a signal ends it early */
  }
  CHECK(n == 0 && now_ns() - began >= 60 * MS);
}

static void what_has_happened_before_is_told_at_once(void) {
  start();
  join(pages[1], 3);
  CHECK(asleep(LONG) == 1 && ready[1] && !ready[0] && !ready[2]);
  CHECK(asleep(LONG) == 1 && ready[1]); /* until it is looked at */
  seen(pages[1]);
  CHECK(asleep(0) == 0);
}

static void *join_later(void *page) {
  sleep_ms(50);
  join(page, 3);
  return NULL;
}

static void a_transition_wakes(void) {
  start();
  for (int i = 0; i < 6; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, join_later, pages[i % 2]) == 0);
    uint64_t began = now_ns();
    CHECK(asleep(LONG) == 1 && ready[i % 2]);
    CHECK(now_ns() - began < LONG);
    pthread_join(thread, NULL);
    seen(pages[i % 2]);
    asleep(0);
    seen(pages[i % 2]); /* whatever came after it was woken */
  }
}

static void *write_later(void *unused) {
  (void)unused;
  sleep_ms(50);
  CHECK(write(ends[1], "x", 1) == 1);
  return NULL;
}

static void the_descriptor_wakes_until_it_is_read(void) {
  start();
  char byte;
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, write_later, NULL) == 0);
    CHECK(asleep(LONG) == 1 && ready[2]);
    CHECK(asleep(LONG) == 1 && ready[2]); /* it was not read */
    CHECK(read(ends[0], &byte, 1) == 1);
    pthread_join(thread, NULL);
    CHECK(asleep(0) == 0);
  }
}

static void as_before_linux_5_16(void (*test)(void)) {
  setenv("GIVEWAY_FUTEX_WAITV", "0", 1);
  test();
}

static void old_time(void) { as_before_linux_5_16(nothing_happens_until_the_time_is_up); }
static void old_before(void) { as_before_linux_5_16(what_has_happened_before_is_told_at_once); }
static void old_transition(void) { as_before_linux_5_16(a_transition_wakes); }
static void old_descriptor(void) { as_before_linux_5_16(the_descriptor_wakes_until_it_is_read); }

static const struct test_case cases[] = {
    {"nothing happens until the time is up", nothing_happens_until_the_time_is_up},
    {"what has happened before is told at once", what_has_happened_before_is_told_at_once},
    {"a transition wakes", a_transition_wakes},
    {"the descriptor wakes until it is read", the_descriptor_wakes_until_it_is_read},
    {"an older kernel: time", old_time},
    {"an older kernel: before", old_before},
    {"an older kernel: a transition", old_transition},
    {"an older kernel: the descriptor", old_descriptor},
};

RUN_CASES(cases, 120)
