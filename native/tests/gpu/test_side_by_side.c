/* What a task that another may outrank has in flight on several streams: how much of the device its
 * kernels get, and how long they run after a gate has closed. The device is simulated on the clock
 * of the test. It runs the first kernels of so many streams at a time, in the order of submission;
 * if they need more of it than there is, each of them gets slower. */
#include "../../gpu/room.h"
#include "../../gpu/submit.h"
#include "harness.h"
#include "no_stream_gates.h"

#define US UINT64_C(1000)
#define WINDOW (500 * US)
#define MOST_STREAMS 16
#define QUEUE 1024
#define EVENTS 4096
#define LAUNCH (3 * US)
#define QUERY (1 * US)
#define SLACK (50 * US) /* of the timers of the system */

static uint64_t now = 1000 * MS;

/* ---- the device ------------------------------------------------------------------------------ */

struct operation {
  double ns; /* that it still runs; 0: an event */
  gw_word event;
  unsigned number;
};

static struct device {
  unsigned at_a_time; /* kernels */
  double full;        /* the number of kernels that run at full speed */
  double time;        /* up to which it has worked */
  double worked;      /* nanoseconds of kernels, each as if alone */
  unsigned submitted;
  struct {
    struct operation queue[QUEUE];
    unsigned first, count;
  } streams[MOST_STREAMS];
} device;

static struct {
  uint64_t recorded, reached; /* reached: when */
} events[EVENTS];
static unsigned event_count;
static bool looks_ahead; /* events are not reached: a copy of the device runs */

static struct operation *first_of(struct device *d, unsigned stream) {
  return d->streams[stream].count == 0
             ? NULL
             : &d->streams[stream].queue[d->streams[stream].first % QUEUE];
}

static void pop(struct device *d, unsigned stream) {
  d->streams[stream].first++;
  d->streams[stream].count--;
}

static void reach_events(struct device *d) {
  for (unsigned stream = 0; stream < MOST_STREAMS; stream++) {
    struct operation *first;
    while ((first = first_of(d, stream)) != NULL && first->ns <= 0) {
      if (first->event != 0 && !looks_ahead) {
        events[first->event].reached = (uint64_t)d->time;
      }
      pop(d, stream);
    }
  }
}

/* The kernels that run; how many there are. */
static unsigned running(struct device *d, struct operation *found[MOST_STREAMS]) {
  unsigned count = 0;
  for (unsigned stream = 0; stream < MOST_STREAMS; stream++) {
    struct operation *first = first_of(d, stream);
    if (first == NULL) {
      continue;
    }
    unsigned at = count++;
    for (; at > 0 && found[at - 1]->number > first->number; at--) {
      found[at] = found[at - 1];
    }
    found[at] = first;
  }
  return count < d->at_a_time ? count : d->at_a_time;
}

/* Works until the time, or until there is nothing to do. */
static void work_until(struct device *d, double until) {
  struct operation *found[MOST_STREAMS];
  unsigned count;
  reach_events(d);
  while (d->time < until && (count = running(d, found)) != 0) {
    double speed = count > d->full ? d->full / count : 1, next = (until - d->time) * speed;
    for (unsigned i = 0; i < count; i++) {
      next = found[i]->ns < next ? found[i]->ns : next;
    }
    for (unsigned i = 0; i < count; i++) {
      found[i]->ns -= next;
      found[i]->ns = found[i]->ns < 0.01 ? 0 : found[i]->ns;
      d->worked += next;
    }
    d->time += next / speed;
    reach_events(d);
  }
}

static void catch_up(void) {
  work_until(&device, (double)now);
  device.time = (double)now;
}

/* How long the device works if nothing more is submitted. */
static double residue(void) {
  static struct device copy;
  copy = device;
  looks_ahead = true;
  work_until(&copy, 1e18);
  looks_ahead = false;
  return copy.time - (double)now;
}

static void submit(unsigned stream, double ns, gw_word event) {
  catch_up();
  CHECK(device.streams[stream].count < QUEUE);
  device.streams[stream]
      .queue[(device.streams[stream].first + device.streams[stream].count++) % QUEUE] =
      (struct operation){ns, event, device.submitted++};
  reach_events(&device);
}

/* ---- the driver ------------------------------------------------------------------------------ */

uint64_t gw_now(void) { return now; }
void __wrap_gw_sleep_ns(long ns); /* in place of gw_sleep_ns */
void __wrap_gw_sleep_ns(long ns) { now += (uint64_t)ns + SLACK; }

const bool gw_driver_events_touch_streams = false;
gw_word gw_driver_current_context(void) { return 1; }
bool gw_driver_use_context(gw_word context) { return context != 0; }
void gw_driver_gate_clear(gw_word context, gw_word address) { (void)context, (void)address; }

gw_word gw_driver_event_create(void) {
  CHECK(event_count + 1 < EVENTS);
  return ++event_count;
}

bool gw_driver_event_record(gw_word event, gw_word stream) {
  now += QUERY;
  events[event].reached = 0;
  submit((unsigned)stream - 16, 0, event);
  return true;
}

enum gw_busy gw_driver_event_query(gw_word event) {
  catch_up();
  bool reached = events[event].reached != 0;
  now += QUERY;
  return reached ? GW_DONE : GW_BUSY;
}

uint64_t gw_driver_event_elapsed(gw_word start, gw_word end) {
  now += QUERY;
  CHECK(events[start].reached != 0 && events[end].reached != 0);
  return events[end].reached > events[start].reached ? events[end].reached - events[start].reached
                                                     : 0;
}

/* ---- the program ----------------------------------------------------------------------------- */

static struct gw_windows windows;

static void launch(unsigned stream, uint64_t ns) {
  struct gw_submission call = {.stream = stream + 16, .key = ns * 64};
  gw_submit_begin(&windows, NULL, true, GW_KERNEL, &call);
  now += LAUNCH;
  submit(stream, (double)ns, 0);
  gw_submit_end(&call, true);
}

struct found {
  double used;    /* nanoseconds of kernels for each in which the gate was open */
  double residue; /* the longest */
  double over;    /* the share of launches behind which there is more than a window, or a kernel */
};

/* Kernels on the streams in turn. A more urgent task has the device now and then. */
static struct found run(unsigned streams, uint64_t ns, unsigned rounds) {
  struct found found = {0};
  double open = 0, launches = 0;
  for (unsigned round = 0; round < rounds; round++) {
    uint64_t from = now;
    double before = device.worked;
    while (now < from + 8 * MS) {
      launch((unsigned)launches % streams, ns);
      double left = residue(), most = (double)(ns > WINDOW ? ns : WINDOW) + 20e3;
      found.residue = left > found.residue ? left : found.residue;
      found.over += left > most;
      launches++;
    }
    catch_up();
    open += (double)(now - from);
    found.used += device.worked - before;
    now += (uint64_t)residue() + 2400 * US;
    catch_up();
  }
  found.used /= open;
  found.over /= launches;
  return found;
}

static void start(unsigned at_a_time, double full) {
  memset(&device, 0, sizeof device);
  device.at_a_time = at_a_time;
  device.full = full;
  device.time = (double)now;
  memset(&windows, 0, sizeof windows);
  gw_windows_init(&windows);
}

static void check(unsigned streams, uint64_t ns, double least) {
  run(streams, ns, 2); /* until it knows */
  struct found found = run(streams, ns, 4);
  CHECK(found.used > least);
  CHECK(found.over < 0.01 && found.residue <= 1.25 * WINDOW);
}

static void kernels_that_run_side_by_side(void) {
  for (unsigned streams = 1; streams <= 8; streams *= 2) {
    start(8, 8);
    check(streams, 200 * US, 0.95 * streams);
    start(8, 8);
    check(streams, 40 * US, 0.95 * streams);
  }
}

/* Each fills the device. Kernels behind those of other streams are measured as longer than they
 * are. */
static void kernels_that_run_one_at_a_time(void) {
  for (unsigned streams = 1; streams <= 8; streams *= 2) {
    start(1, 1);
    check(streams, 200 * US, 0.95);
    start(1, 1);
    check(streams, 40 * US, 0.95);
    start(1, 1);
    check(streams, 20 * US, 0.95);
  }
}

static void kernels_that_slow_each_other_down(void) {
  for (unsigned streams = 2; streams <= 8; streams *= 2) {
    start(8, 1);
    check(streams, 200 * US, 0.8);
    start(8, 1);
    check(streams, 40 * US, 0.9);
    start(8, 4);
    check(streams, 200 * US, streams == 2 ? 1.9 : 3.5);
  }
}

/* Of which only one fits into a window. */
static void long_kernels(void) {
  start(8, 8);
  run(8, 2 * MS, 1500);
  CHECK(run(8, 2 * MS, 100).used > 6);
  start(1, 1);
  struct found found = run(8, 2 * MS, 1500);
  CHECK(found.over < 0.01 && found.residue <= 3 * 2 * MS);
}

/* The program's next kernels fill the device. */
static void kernels_that_no_longer_run_side_by_side(void) {
  start(8, 8);
  run(8, 200 * US, 4);
  device.at_a_time = 1;
  CHECK(run(8, 200 * US, 1).residue <= 8 * (double)WINDOW);
  CHECK(run(8, 200 * US, 4).over == 0);
}

/* Nothing is known of kernels of 20 ms where short ones run side by side. */
static void long_kernels_after_short_ones(void) {
  start(8, 8);
  run(8, 200 * US, 4);
  device.at_a_time = 1;
  CHECK(run(8, 20 * MS, 1).residue <= 2 * 20 * (double)MS); /* they have not been measured */
  start(1, 1);
  run(8, 20 * MS, 20);
  device.at_a_time = 8;
  device.full = 8;
  CHECK(run(8, 200 * US, 4).used > 6);
  device.at_a_time = 1;
  CHECK(run(8, 20 * MS, 1).residue <= 20 * (double)MS);
}

static const struct test_case cases[] = {
    {"kernels that run side by side", kernels_that_run_side_by_side},
    {"kernels that run one at a time", kernels_that_run_one_at_a_time},
    {"kernels that slow each other down", kernels_that_slow_each_other_down},
    {"long kernels", long_kernels},
    {"kernels that no longer run side by side", kernels_that_no_longer_run_side_by_side},
    {"long kernels after short ones", long_kernels_after_short_ones},
};
RUN_CASES(cases, 60)
