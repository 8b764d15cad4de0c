/* The windows of a device, over a driver whose contexts are numbers. */
#include "../../gpu/window.h"

#include "harness.h"

static uint64_t done = UINT64_MAX; /* events up to this one have been reached */
static unsigned cleared;

const bool gw_driver_events_touch_streams = false;
static unsigned queries;
static struct gw_window *another_looks; /* during a query */

enum gw_busy gw_driver_event_query(gw_word event) {
  struct gw_window *window = another_looks;
  another_looks = NULL;
  queries++;
  if (window != NULL) {
    gw_window_lock(window);
    gw_window_look(window);
    gw_window_unlock(window);
  }
  return event <= done ? GW_DONE : GW_BUSY;
}

uint64_t gw_driver_event_elapsed(gw_word start, gw_word end) { return end - start; }
bool gw_driver_use_context(gw_word context) { return context != 0; }
void gw_driver_gate_clear(gw_word context, gw_word address) {
  cleared += context != 0 && address != 0;
}

static struct gw_windows windows;

static struct gw_window *enter(gw_word context) {
  struct gw_window *window = gw_window_enter(&windows, context);
  CHECK(window != NULL);
  return window;
}

/* However many there are. */
static void each_context_has_one(void) {
  struct gw_window *of[1000];
  gw_windows_init(&windows);
  for (gw_word context = 0; context < 1000; context++) {
    of[context] = enter(context + 1);
    of[context]->since_gate = context;
    gw_window_leave(of[context]);
  }
  for (gw_word context = 0; context < 1000; context++) {
    struct gw_window *window = enter(context + 1);
    CHECK(window == of[context] && window->since_gate == context);
    gw_window_leave(window);
  }
}

static void it_goes_with_its_context(void) {
  gw_windows_init(&windows);
  for (gw_word context = 1; context <= 2; context++) {
    struct gw_window *window = enter(context);
    window->since_gate = 7;
    gw_window_leave(window);
  }
  gw_windows_forget_context(&windows, 1);
  struct gw_window *fresh = enter(1);
  CHECK(fresh->since_gate == 0);
  gw_window_leave(fresh);
  struct gw_window *other = enter(2);
  CHECK(other->since_gate == 7);
  gw_window_leave(other);
  gw_windows_forget_context(&windows, 0);
  CHECK(windows.first == NULL);
}

/* A launch may be inside the driver when another thread destroys the context. */
static void a_launch_outlives_it(void) {
  gw_windows_init(&windows);
  struct gw_window *window = enter(1);
  gw_window_unlock(window);
  gw_windows_forget_context(&windows, 1);
  CHECK(window->gone && windows.first == NULL);
  gw_window_lock(window);
  gw_window_leave(window);
}

static void each_is_released_once(void) {
  gw_windows_init(&windows);
  for (gw_word context = 1; context <= 3; context++) {
    struct gw_window *window = enter(context);
    window->gates.address = context == 2 ? 0 : 64 * context;
    gw_window_leave(window);
  }
  gw_windows_release(&windows);
  gw_windows_release(&windows);
  CHECK(cleared == 2);
}

static void mark(struct gw_window *window, gw_word event, uint64_t ns) {
  gw_marks_count(&window->marks, 1, ns);
  window->marks.submitted++;
  if (gw_marks_expect(&window->marks)) {
    window->marks.coming--;
    gw_marks_add(&window->marks, 1, event, 0, 0);
  }
}

static void work_is_in_flight_until_its_fence_is_reached(void) {
  gw_windows_init(&windows);
  struct gw_window *window = enter(1);
  done = 0;
  for (gw_word event = 1; event <= 10; event++) {
    mark(window, event, 100);
  }
  CHECK(window->marks.in_flight == 1000);
  done = 4;
  gw_window_look(window);
  CHECK(window->marks.in_flight == 600 && window->marks.finished == 4);
  gw_window_leave(window);
  CHECK(gw_windows_busy(&windows));
  done = 10;
  CHECK(!gw_windows_busy(&windows));
}

/* Two would ask the driver for the same event, and one of them in vain. */
static void one_thread_looks_at_a_time(void) {
  gw_windows_init(&windows);
  struct gw_window *window = enter(1);
  mark(window, 1, 100);
  another_looks = window;
  gw_window_look(window);
  CHECK(queries == 1 && window->marks.in_flight == 0);
  gw_window_leave(window);
}

/* Fences that are reached may be behind those of a stream that stands still. */
static void a_stream_is_looked_at_by_itself(void) {
  gw_windows_init(&windows);
  struct gw_window *window = enter(1);
  done = 0;
  for (gw_word event = 10; event > 0; event--) { /* the odd ones are on the stream 7 */
    gw_marks_count(&window->marks, event % 2 == 0 ? 1 : 7, 100);
    gw_marks_add(&window->marks, event % 2 == 0 ? 1 : 7, event, 0, 0);
  }
  done = 9;
  gw_window_look(window);
  CHECK(window->marks.count == 10);
  gw_window_look_at(window, 7);
  CHECK(window->marks.count == 5 && window->marks.in_flight == 500);
  CHECK(gw_marks_first_of(&window->marks, 7) == NULL);
  for (gw_word event = 10; event > 0; event -= 2) {
    done = event;
    CHECK(gw_marks_first(&window->marks)->event == event);
    gw_marks_remove(&window->marks, gw_marks_first(&window->marks), true);
  }
  CHECK(window->marks.in_flight == 0);
  gw_window_leave(window);
}

/* The newest takes the place of the one before it. */
static void more_fences_than_places(void) {
  gw_windows_init(&windows);
  struct gw_window *window = enter(1);
  done = 0;
  for (gw_word event = 1; event <= 3 * GW_MARKS; event++) {
    mark(window, event, 100);
  }
  CHECK(window->marks.count == GW_MARKS && window->marks.in_flight == 3 * GW_MARKS * 100);
  done = GW_MARKS - 1;
  gw_window_look(window);
  CHECK(window->marks.count == 1 && gw_marks_first(&window->marks)->event == 3 * GW_MARKS);
  done = 3 * GW_MARKS;
  gw_window_look(window);
  CHECK(window->marks.in_flight == 0 && window->marks.finished == 3 * GW_MARKS);
  gw_window_leave(window);
}

/* As many as are in use at a time: two for each fence, and the one from which work is counted. */
static void every_event_is_used_again(void) {
  gw_windows_init(&windows);
  struct gw_window *window = enter(1);
  struct gw_marks *marks = &window->marks;
  window->drain.since = 1;
  for (gw_word i = 0; i < GW_MARKS; i++) {
    gw_marks_count(marks, 1, 100);
    CHECK(gw_marks_expect(marks));
    marks->coming--;
    gw_marks_add(marks, 1, 2 * i + 3, 2 * i + 2, 64);
  }
  gw_window_look(window);
  CHECK(marks->in_flight == 0 && window->drain.since == 0);
  gw_word sum = 0;
  for (gw_word event; (event = gw_event_take(marks)) != 0;) {
    sum += event;
  }
  const gw_word most = 2 * GW_MARKS + 1;
  CHECK(sum == most * (most + 1) / 2);
  gw_window_leave(window);
}

static void more_streams_than_tails(void) {
  gw_windows_init(&windows);
  struct gw_window *window = enter(1);
  for (gw_word stream = 1; stream <= 3 * GW_TAILS; stream++) {
    gw_marks_count(&window->marks, stream, 100);
  }
  CHECK(window->marks.in_flight == GW_TAILS * 100); /* what has lost its tail does not count */
  gw_window_leave(window);
}

static const struct test_case cases[] = {
    {"each context has one", each_context_has_one},
    {"it goes with its context", it_goes_with_its_context},
    {"a launch outlives it", a_launch_outlives_it},
    {"each is released once", each_is_released_once},
    {"work is in flight until its fence is reached", work_is_in_flight_until_its_fence_is_reached},
    {"one thread looks at a time", one_thread_looks_at_a_time},
    {"a stream is looked at by itself", a_stream_is_looked_at_by_itself},
    {"more fences than places", more_fences_than_places},
    {"every event is used again", every_event_is_used_again},
    {"more streams than tails", more_streams_than_tails},
};
RUN_CASES(cases, 60)
