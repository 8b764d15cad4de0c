#include "room.h"

#include <stddef.h>

#include "../gate/clock.h"
#include "../gate/number.h"

#define DEFAULT_WINDOW_US 500
/* Work that takes longer waits for something else, perhaps for work that the program submits next.
 * A longer wait for the window might then be a deadlock. */
#define PATIENCE_NS UINT64_C(100000000)
#define SUSPENSION_NS UINT64_C(1000000000)
/* In under 1 % of the time the device may have one kernel more to finish. */
#define TRY_EVERY 2048
#define TRIES 16
#define SPIN_NS UINT64_C(20000)
#define POLL_NS 20000
/* For a task that no other task outranks. A queue of that length lets the device work on while the
 * program does something else. */
#define AHEAD_NS UINT64_C(100000000)
#define AHEAD_POLL_NS 100000

static uint64_t size_ns;
static pthread_once_t sized = PTHREAD_ONCE_INIT;

static void read_size(void) {
  size_ns = (uint64_t)(gw_environment_number("GIVEWAY_WINDOW_US", 1e9, DEFAULT_WINDOW_US) * 1000);
}

uint64_t gw_room_size(void) {
  pthread_once(&sized, read_size);
  return size_ns;
}

uint64_t gw_room_of(const struct gw_window *window) {
  return gw_drain_work(&window->drain, window->marks.tail_count, size_ns);
}

/* The kernels like this one that run at a time. */
static uint64_t kernels(const struct gw_window *window, struct gw_piece piece) {
  return gw_drain_kernels(&window->drain, window->marks.tail_count, piece.ns);
}

/* A window on the work's own stream, and as much on all of them together as is done in the time of
 * a window. The kernels that run at a time fit however long they are. A piece that has not been
 * measured may be long and fill the device: for it, work is added up as if it ran one after the
 * other. */
static bool fits(struct gw_window *window, struct gw_piece piece) {
  struct gw_marks *marks = &window->marks;
  uint64_t all = marks->in_flight + piece.ns;
  if (marks->in_flight == 0 || all <= size_ns) {
    return true;
  }
  uint64_t own = gw_marks_of(marks, piece.id);
  return piece.known && (own == 0 || own + piece.ns <= size_ns) &&
         (all <= gw_room_of(window) || all <= piece.ns * kernels(window, piece));
}

/* Of a kernel that is nearly as long as the window only one fits, and the rate stays 1. Now and
 * then one more goes, on a stream that has nothing to do, and shows whether it runs beside the
 * others. */
static bool tries_more(struct gw_window *window, struct gw_piece piece) {
  struct gw_marks *marks = &window->marks;
  return piece.known && ++window->refused % TRY_EVERY < TRIES &&
         gw_marks_of(marks, piece.id) == 0 && marks->in_flight <= piece.ns * kernels(window, piece);
}

static bool is_closed(gw_task *task) {
  struct gw_stream_gate gate;
  return task != NULL && gw_stream_gate(task, &gate) && gate.closing != 0;
}

/* Puts an event behind what the calling thread's stream has had since its last one. Other streams
 * are left alone, because another thread may be destroying them. */
static void mark_tail(struct gw_window *window, gw_word stream, gw_word id) {
  if (gw_tail_of(&window->marks, id)->ns == 0 || !gw_marks_expect(&window->marks)) {
    return;
  }
  gw_word event = gw_event_take(&window->marks);
  gw_window_unlock(window);
  event = event != 0 ? event : gw_driver_event_create();
  bool recorded = event != 0 && gw_driver_event_record(event, stream);
  gw_window_lock(window);
  window->marks.coming--;
  if (recorded) {
    gw_marks_add(&window->marks, id, event, 0, 0);
  } else {
    gw_event_give(&window->marks, event);
  }
}

static void await_room(struct gw_window *window, gw_task *task, struct gw_piece piece) {
  uint64_t start = gw_now(), now = start, oldest = 0;
  while (!fits(window, piece) && !atomic_load(&window->gone) && !is_closed(task)) {
    struct gw_mark *first = gw_marks_first(&window->marks);
    if (first == NULL) { /* what is left has no fence: short ends of other streams */
      window->marks.in_flight = 0;
      window->marks.tail_count = 0;
      return;
    }
    if (first->number != oldest) { /* the device gets on */
      oldest = first->number;
      start = now;
    }
    if (now - start > PATIENCE_NS) {
      gw_marks_drop(&window->marks);
      window->suspended_until = now + SUSPENSION_NS;
      return;
    }
    if (now - start > SPIN_NS) {
      gw_window_unlock(window);
      gw_sleep_ns(POLL_NS);
      gw_window_lock(window);
    }
    gw_window_look(window);
    now = gw_now();
  }
}

bool gw_room_make(struct gw_window *window, gw_task *task, struct gw_piece piece) {
  if (window->suspended_until != 0 && gw_now() <= window->suspended_until) {
    return false;
  }
  window->suspended_until = 0;
  if (window->marks.in_flight + piece.ns > gw_room_of(window) / 2 ||
      window->marks.count == GW_MARKS) {
    gw_window_look(window);
  }
  if (!fits(window, piece) && !tries_more(window, piece)) {
    mark_tail(window, piece.stream, piece.id);
    await_room(window, task, piece);
  }
  return window->suspended_until == 0;
}

/* Only of a stream that still has 10 ms to do when its oldest fence is reached: no stream runs dry,
 * and an empty one is never waited for. */
static bool is_ahead(struct gw_marks *marks, gw_word id) {
  return marks->in_flight > AHEAD_NS && gw_marks_first_of(marks, id) != NULL &&
         gw_marks_behind_first(marks, id) > GW_SPARSE_NS;
}

static void look(struct gw_window *window, gw_word id) {
  gw_window_look(window);
  gw_window_look_at(window, id);
}

/* What is in flight stays counted, for another task may come. */
void gw_room_await_ahead(struct gw_window *window, gw_word id) {
  struct gw_marks *marks = &window->marks;
  if (is_ahead(marks, id)) {
    look(window, id);
  }
  if (gw_marks_behind_first(marks, id) <= GW_SPARSE_NS) {
    gw_tail_of(marks, id)->unbounded = false;
  }
  uint64_t start = gw_now(), waited = 0;
  while (is_ahead(marks, id) && !gw_tail_of(marks, id)->unbounded && !atomic_load(&window->gone)) {
    if (waited > PATIENCE_NS) {
      gw_tail_of(marks, id)->unbounded = true;
      return;
    }
    if (waited > SPIN_NS) {
      gw_window_unlock(window);
      gw_sleep_ns(AHEAD_POLL_NS);
      gw_window_lock(window);
    }
    look(window, id);
    waited = gw_now() - start;
  }
}
