/* How long the launches of a task that nobody outranks wait, over a driver whose streams get on
 * when the test says so. The clock moves by 1 ms with each look at an event that is not reached. */
#include "../../gpu/room.h"
#include "../../gpu/submit.h"
#include "harness.h"
#include "no_stream_gates.h"

#define AHEAD_MS 100
#define SPARSE_MS 10
#define LONGEST_MS (100 + 5) /* a wait, and the looks before it and after it */
#define LOOKS_MS 5           /* a launch that does not wait */
#define EVENTS 16384

enum { A, B, C, D, STREAMS, MANY = 100 };
/* Kinds of work. */
enum { MS_2 = 64, MS_3 = 128, MS_5 = 192, MS_12 = 256, MS_120 = 320, RECEIVE = 384 };

static uint64_t now = 1000 * MS;
static unsigned submitted[MANY], finished[MANY];
static unsigned stream_of[EVENTS], behind[EVENTS], events;
static void (*meanwhile)(void); /* runs with each look */
static struct gw_windows windows;

uint64_t gw_now(void) { return now; }

const bool gw_driver_events_touch_streams = false;
gw_word gw_driver_current_context(void) { return 1; }
bool gw_driver_use_context(gw_word context) { return context != 0; }
void gw_driver_gate_clear(gw_word context, gw_word address) { (void)context, (void)address; }

gw_word gw_driver_event_create(void) {
  CHECK(events + 1 < EVENTS);
  return ++events;
}

bool gw_driver_event_record(gw_word event, gw_word stream) {
  stream_of[event] = (unsigned)stream - 16;
  behind[event] = submitted[stream_of[event]];
  return true;
}

enum gw_busy gw_driver_event_query(gw_word event) {
  if (meanwhile != NULL) {
    meanwhile();
  }
  bool reached = finished[stream_of[event]] >= behind[event];
  now += reached ? 0 : MS;
  return reached ? GW_DONE : GW_BUSY;
}

uint64_t gw_driver_event_elapsed(gw_word start, gw_word end) {
  (void)start, (void)end;
  return 0; /* the estimates stay as they are */
}

static void start(void) {
  gw_windows_init(&windows);
  const uint64_t ms[] = {2, 3, 5, 12, 120};
  for (unsigned i = 0; i < sizeof ms / sizeof *ms; i++) {
    gw_estimate_learn(&windows.estimates, (i + 1) * MS_2, ms[i] * MS);
  }
  /* Once the peer was late. */
  gw_estimate_learn(&windows.estimates, RECEIVE, 500 * MS);
  gw_estimate_learn(&windows.estimates, RECEIVE, 1000);
}

/* Milliseconds that the launch takes. */
static unsigned launch(unsigned stream, uint64_t kind) {
  uint64_t from = now;
  struct gw_submission call = {.stream = stream + 16, .key = kind};
  gw_submit_begin(&windows, NULL, false, GW_KERNEL, &call);
  submitted[stream]++;
  gw_submit_end(&call, true);
  return (unsigned)((now - from) / MS);
}

static void synchronise(unsigned stream) { finished[stream] = submitted[stream]; }

/* How many of the launches wait; none for longer than it may. */
static unsigned waits(unsigned stream, uint64_t kind, unsigned launches) {
  unsigned found = 0;
  for (unsigned i = 0; i < launches; i++) {
    unsigned ms = launch(stream, kind);
    CHECK(ms <= LONGEST_MS);
    found += ms > LOOKS_MS;
  }
  return found;
}

/* ---- a device that gets on ------------------------------------------------------------------- */

/* One kernel after the other. */
static void do_one(void) {
  static unsigned turn;
  for (unsigned i = 0; i < STREAMS; i++) {
    unsigned stream = turn++ % STREAMS;
    if (finished[stream] < submitted[stream]) {
      finished[stream]++;
      return;
    }
  }
  CHECK(!"the device has run dry");
}

static void a_program_is_not_far_ahead(void) {
  start();
  for (unsigned i = 0, most = 0; i < 1000; i++) {
    if (i == 30) {
      meanwhile = do_one;
    }
    CHECK(launch(i % STREAMS, MS_2) <= LONGEST_MS);
    unsigned count = 0;
    for (unsigned stream = 0; stream < STREAMS; stream++) {
      count += submitted[stream] - finished[stream];
    }
    most = count > most ? count : most;
    CHECK(2 * most <= AHEAD_MS + SPARSE_MS);
  }
}

/* Each stream does a piece in 50 ms, as beside another program or where a peer sets the pace. */
static void do_slowly(void) {
  static unsigned looks;
  for (unsigned i = 0; i < STREAMS && looks % 50 == 0; i++) {
    finished[i] += finished[i] < submitted[i];
  }
  looks++;
}

static void a_slow_device_delays_no_launch_for_longer(void) {
  start();
  meanwhile = do_slowly;
  waits(A, MS_12, 60);
  waits(B, MS_12, 60);
}

static void long_work_is_not_delayed_by_short_work(void) {
  start();
  CHECK(waits(B, MS_2, 30) == 0);
  meanwhile = do_slowly;
  CHECK(waits(A, MS_120, 1) == 0);
  waits(A, MS_120, 4);
}

/* ---- a stream that stands still -------------------------------------------------------------- */

/* It may wait for what the program does next, or for another process. */
static void each_stream_that_stands_still_is_waited_for_once(void) {
  start();
  CHECK(waits(A, MS_3, 60) == 1);
  CHECK(waits(B, MS_3, 60) == 1);
  for (unsigned i = 0; i < 100; i++, now += 50 * MS) {
    CHECK(waits(A, MS_3, 1) == 0 && waits(B, MS_3, 1) == 0);
  }
}

static void it_is_waited_for_once_beside_many_others(void) {
  start();
  CHECK(waits(A, MS_3, 60) == 1);
  for (unsigned i = 0; i < 5; i++) {
    for (unsigned stream = STREAMS; stream < MANY; stream++) {
      CHECK(waits(stream, MS_2, 1) == 0);
      synchronise(stream);
    }
    CHECK(waits(A, MS_3, 1) == 0);
  }
}

static void it_does_not_delay_other_streams(void) {
  start();
  waits(A, MS_3, 300);
  for (unsigned i = 0; i < 100; i++, now += 50 * MS) {
    unsigned stream = i % 2 == 0 ? B : C;
    CHECK(waits(stream, MS_2, 3) == 0);
    synchronise(stream);
  }
}

/* The host lets the device do the next piece after each launch, and never waits for the device. */
static void a_program_that_sets_the_pace_itself_waits_once(void) {
  start();
  unsigned found = waits(A, MS_12, 40);
  for (unsigned i = 0; i < 100; i++) {
    finished[A]++;
    found += waits(A, MS_12, 1);
  }
  CHECK(found == 1);
}

static void a_stream_that_has_caught_up_has_a_bound_again(void) {
  start();
  CHECK(waits(A, MS_3, 300) == 1);
  synchronise(A);
  CHECK(waits(A, MS_3, 300) == 1);
}

/* ---- what is in flight ----------------------------------------------------------------------- */

/* The oldest fence of all, which is another stream's, does not hide those of an empty stream. */
static void an_empty_stream_is_not_waited_for(void) {
  start();
  waits(A, MS_12, 40);
  for (unsigned i = 0; i < 39; i++, now += 50 * MS) {
    finished[A]++;
    CHECK(waits(C, MS_5, 4) == 0);
    synchronise(C);
  }
}

/* Its longest time is far from what it takes. */
static void a_receive_counts_as_short(void) {
  start();
  for (unsigned i = 0; i < 50; i++, now += 100 * MS) {
    CHECK(waits(A, RECEIVE, 3) == 0 && waits(B, MS_2, 3) == 0);
    synchronise(B);
  }
}

static const struct test_case cases[] = {
    {"a program is not far ahead", a_program_is_not_far_ahead},
    {"a slow device delays no launch for longer", a_slow_device_delays_no_launch_for_longer},
    {"long work is not delayed by short work", long_work_is_not_delayed_by_short_work},
    {"each stream that stands still is waited for once",
     each_stream_that_stands_still_is_waited_for_once},
    {"it is waited for once beside many others", it_is_waited_for_once_beside_many_others},
    {"it does not delay other streams", it_does_not_delay_other_streams},
    {"a program that sets the pace itself waits once",
     a_program_that_sets_the_pace_itself_waits_once},
    {"a stream that has caught up has a bound again",
     a_stream_that_has_caught_up_has_a_bound_again},
    {"an empty stream is not waited for", an_empty_stream_is_not_waited_for},
    {"a receive counts as short", a_receive_counts_as_short},
};
RUN_CASES(cases, 60)
