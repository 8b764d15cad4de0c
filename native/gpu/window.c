#include "window.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../gate/clock.h"

/* How long a stream or context that goes waits for a thread that queries one of its events: the
 * driver may not survive that it goes at that moment. A driver that blocks in the query is not
 * waited for. */
#define QUERY_NS UINT64_C(1000000000)
#define POLL_NS 20000

/* Not nanosleep itself, where a thread of the program might be cancelled. */
void gw_sleep_ns(long ns) { syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = ns}, NULL); }

void gw_windows_init(struct gw_windows *windows) { pthread_mutex_init(&windows->lock, NULL); }

struct gw_window *gw_window_enter(struct gw_windows *windows, gw_word context) {
  pthread_mutex_lock(&windows->lock);
  struct gw_window *window = windows->first;
  while (window != NULL && window->context != context) {
    window = window->next;
  }
  if (window == NULL && (window = calloc(1, sizeof *window)) != NULL) {
    window->context = context;
    window->of = windows;
    window->next = windows->first;
    windows->first = window;
  }
  if (window == NULL) {
    pthread_mutex_unlock(&windows->lock);
  } else {
    window->users++;
  }
  return window;
}

void gw_window_unlock(struct gw_window *window) { pthread_mutex_unlock(&window->of->lock); }
void gw_window_lock(struct gw_window *window) { pthread_mutex_lock(&window->of->lock); }

void gw_window_leave(struct gw_window *window) {
  struct gw_windows *windows = window->of;
  if (--window->users == 0 && window->gone) {
    free(window);
  }
  pthread_mutex_unlock(&windows->lock);
}

static void stop_counting(struct gw_window *window) {
  gw_event_give(&window->marks, window->drain.since);
  window->drain.since = 0;
}

/* Counts the mark's work, which was done so much later than the work before it. Begins with the
 * first work in an empty window, so that no time counts in which there was nothing to do. */
static void count_drained(struct gw_window *window, struct gw_mark *mark, gw_word since,
                          uint64_t later) {
  if (mark->ns == 0 || window->drain.since != since || (since == 0 && !mark->first)) {
    return;
  }
  gw_drain_add(&window->drain, mark->ns, later);
  if (later != 0) { /* the event stays, as the one to count from */
    gw_event_give(&window->marks, since);
    window->drain.since = mark->event;
    mark->event = 0;
  }
}

/* Removes the mark if its work is done. In the meantime another thread may have removed it. */
static bool look_at(struct gw_window *window, struct gw_mark mark) {
  struct gw_marks *marks = &window->marks;
  gw_word since = window->drain.since;
  marks->looked_at = mark.stream;
  gw_window_unlock(window);
  enum gw_busy busy = gw_driver_event_query(mark.event);
  bool done = busy == GW_DONE;
  uint64_t ns = done && mark.before != 0 ? gw_driver_event_elapsed(mark.before, mark.event) : 0;
  uint64_t later = done && since != 0 ? gw_driver_event_elapsed(since, mark.event) : 0;
  gw_window_lock(window);
  marks->looked_at = 0;
  struct gw_mark *found = gw_marks_find(marks, mark.number);
  if (busy == GW_BUSY || found == NULL) {
    return false;
  }
  if (ns != 0) {
    double part = gw_estimate_learn(&window->of->estimates, mark.key, ns);
    gw_marks_shrink(marks, mark.key, part);
    gw_drain_shrink(&window->drain, part);
  }
  if (done) {
    count_drained(window, found, since, mark.first ? ns : later);
  }
  gw_marks_remove(marks, found, done);
  if (marks->in_flight == 0) {
    stop_counting(window);
  }
  return true;
}

/* One thread looks at a time. */
void gw_window_look(struct gw_window *window) {
  struct gw_mark *first;
  do {
    first = window->marks.looked_at == 0 ? gw_marks_first(&window->marks) : NULL;
  } while (first != NULL && look_at(window, *first));
}

void gw_window_look_at(struct gw_window *window, gw_word stream) {
  struct gw_mark *first;
  do {
    first = window->marks.looked_at == 0 ? gw_marks_first_of(&window->marks, stream) : NULL;
  } while (first != NULL && look_at(window, *first));
}

static struct gw_window *first_with_marks(struct gw_windows *windows) {
  struct gw_window *window = windows->first;
  while (window != NULL && window->marks.count == 0) {
    window = window->next;
  }
  return window;
}

bool gw_windows_busy(struct gw_windows *windows) {
  bool busy = false;
  pthread_mutex_lock(&windows->lock);
  for (struct gw_window *window; !busy && (window = first_with_marks(windows)) != NULL;) {
    window->users++;
    gw_window_unlock(window);
    bool usable = gw_driver_use_context(window->context);
    gw_window_lock(window);
    if (usable) {
      gw_window_look(window);
    }
    busy = usable && window->marks.count != 0;
    gw_window_leave(window);
    pthread_mutex_lock(&windows->lock);
    if (!usable) {
      break;
    }
  }
  pthread_mutex_unlock(&windows->lock);
  return busy;
}

/* Whether a thread queries an event of the stream. */
static bool queries(struct gw_windows *windows, gw_word stream) {
  bool found = false;
  pthread_mutex_lock(&windows->lock);
  for (struct gw_window *window = windows->first; window != NULL; window = window->next) {
    found = found || window->marks.looked_at == stream;
  }
  pthread_mutex_unlock(&windows->lock);
  return found;
}

void gw_windows_forget_stream(struct gw_windows *windows, gw_word stream) {
  pthread_mutex_lock(&windows->lock);
  for (struct gw_window *window = windows->first; window != NULL; window = window->next) {
    gw_marks_forget_stream(&window->marks, stream, gw_driver_events_touch_streams);
  }
  pthread_mutex_unlock(&windows->lock);
  for (uint64_t until = gw_now() + QUERY_NS;
       gw_driver_events_touch_streams && queries(windows, stream) && gw_now() < until;) {
    gw_sleep_ns(POLL_NS);
  }
}

void gw_windows_forget_kind(struct gw_windows *windows, uint64_t key) {
  pthread_mutex_lock(&windows->lock);
  gw_estimate_forget(&windows->estimates, key);
  pthread_mutex_unlock(&windows->lock);
}

void gw_windows_forget_kinds(struct gw_windows *windows) {
  pthread_mutex_lock(&windows->lock);
  gw_estimates_clear(&windows->estimates);
  pthread_mutex_unlock(&windows->lock);
}

/* Takes the windows of a context out of the list, each with one more user. */
static struct gw_window *take_out(struct gw_windows *windows, gw_word context) {
  struct gw_window *going = NULL;
  for (struct gw_window **at = &windows->first; *at != NULL;) {
    struct gw_window *window = *at;
    if (context == 0 || window->context == context) {
      *at = window->next;
      window->next = going;
      window->users++;
      atomic_store(&window->gone, true);
      going = window;
    } else {
      at = &window->next;
    }
  }
  return going;
}

/* Events and registered memory are destroyed with their context, and a new context may get the
 * address of the old one. */
void gw_windows_forget_context(struct gw_windows *windows, gw_word context) {
  pthread_mutex_lock(&windows->lock);
  struct gw_window *going = take_out(windows, context);
  gw_sparse_end(&windows->sparse);
  pthread_mutex_unlock(&windows->lock);
  while (going != NULL) {
    struct gw_window *window = going;
    going = window->next;
    gw_window_lock(window);
    gw_marks_drop(&window->marks);
    for (uint64_t until = gw_now() + QUERY_NS; window->marks.looked_at != 0 && gw_now() < until;) {
      gw_window_unlock(window);
      gw_sleep_ns(POLL_NS);
      gw_window_lock(window);
    }
    gw_window_leave(window);
  }
}

void gw_windows_release(struct gw_windows *windows) {
  pthread_mutex_lock(&windows->lock);
  struct gw_window *window = windows->first;
  while (window != NULL) {
    gw_word context = window->context, address = window->gates.address;
    if (window->released || address == 0) {
      window = window->next;
      continue;
    }
    window->released = true;
    pthread_mutex_unlock(&windows->lock);
    gw_driver_gate_clear(context, address);
    pthread_mutex_lock(&windows->lock);
    window = windows->first;
  }
  pthread_mutex_unlock(&windows->lock);
}
