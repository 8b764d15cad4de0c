#include "window.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device.h"
#include "estimate.h"
#include "stream_gate.h"

#define WINDOWS 16 /* contexts of this process that are limited */
#define MARKS 64   /* events in flight */
#define STREAMS 64
#define MARKS_PER_WINDOW 4
#define DEFAULT_WINDOW_US 500
/* Work that takes longer than this to get done waits for something else, perhaps for what the
 * program submits next: then a window would be a deadlock. */
#define PATIENCE_NS UINT64_C(100000000)
#define SUSPENSION_NS UINT64_C(1000000000)
#define SPIN_NS UINT64_C(20000)
#define POLL_NS 20000

/* An event behind a piece of work. */
struct mark {
  gw_word event, before, stream;
  uint64_t ns, key;
};

/* Submitted to a stream after its last mark, or its last gate. */
struct tail {
  gw_word stream;
  uint64_t ns;
};

struct gw_window {
  gw_word context; /* events belong to one; 0: free */
  pthread_mutex_t lock;
  uint64_t in_flight; /* nanoseconds, marked and not */
  uint64_t suspended_until;
  struct mark marks[MARKS]; /* a queue */
  unsigned first, count;
  struct tail tails[STREAMS];
  unsigned tail_count;
  gw_word spare[2 * MARKS];
  unsigned spare_count;
  struct gw_stream_gates gates;
  struct gw_estimates estimates;
};

static struct gw_window *_Atomic windows[WINDOWS];
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static uint64_t size_ns;
static pthread_once_t sized = PTHREAD_ONCE_INIT;

static void read_size(void) {
  const char *text = getenv("GIVEWAY_WINDOW_US");
  char *end = NULL;
  double us = text != NULL && *text != '\0' ? strtod(text, &end) : -1;
  size_ns = (uint64_t)((us >= 0 && us <= 1e9 && *end == '\0' ? us : DEFAULT_WINDOW_US) * 1000);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct gw_window *find(gw_word context) {
  for (int i = 0; i < WINDOWS; i++) {
    struct gw_window *window = atomic_load_explicit(&windows[i], memory_order_acquire);
    if (window != NULL && window->context == context) {
      return window;
    }
  }
  struct gw_window *window = NULL;
  pthread_mutex_lock(&making);
  for (int i = 0; i < WINDOWS && window == NULL; i++) {
    struct gw_window *there = atomic_load(&windows[i]);
    if (there != NULL && there->context == context) {
      window = there;
    } else if (there == NULL && (window = calloc(1, sizeof *window)) != NULL) {
      window->context = context;
      pthread_mutex_init(&window->lock, NULL);
      atomic_store_explicit(&windows[i], window, memory_order_release);
    }
  }
  pthread_mutex_unlock(&making);
  return window;
}

/* ---- events and marks; all under the window's lock ------------------------------------------- */

static gw_word take_event(struct gw_window *window) {
  return window->spare_count > 0 ? window->spare[--window->spare_count] : gw_driver_event_create();
}

static void give_event(struct gw_window *window, gw_word event) {
  if (event != 0 && window->spare_count < 2 * MARKS) {
    window->spare[window->spare_count++] = event;
  }
}

static void leave(struct gw_window *window, uint64_t ns) {
  window->in_flight -= ns < window->in_flight ? ns : window->in_flight;
}

static struct tail *tail_of(struct gw_window *window, gw_word stream) {
  for (unsigned i = 0; i < window->tail_count; i++) {
    if (window->tails[i].stream == stream) {
      return &window->tails[i];
    }
  }
  if (window->tail_count == STREAMS) {
    return NULL;
  }
  window->tails[window->tail_count] = (struct tail){.stream = stream};
  return &window->tails[window->tail_count++];
}

/* Puts an event behind that much work; it is forgotten where that cannot be done. */
static void mark(struct gw_window *window, gw_word stream, uint64_t ns,
                 const struct gw_window_call *call) {
  bool capturing = atomic_load(&gw_captures) != 0 && gw_driver_capturing(stream);
  gw_word event = capturing || window->count == MARKS ? 0 : take_event(window);
  if (event != 0 && gw_driver_event_record(event, stream)) {
    window->marks[(window->first + window->count++) % MARKS] = (struct mark){
        event, call != NULL ? call->before : 0, stream, ns, call != NULL ? call->key : 0};
  } else {
    give_event(window, event);
    give_event(window, call != NULL ? call->before : 0);
    leave(window, ns);
  }
}

static void mark_tail(struct gw_window *window, struct tail *tail,
                      const struct gw_window_call *call) {
  mark(window, tail->stream, tail->ns, call);
  tail->ns = 0;
}

static void mark_all(struct gw_window *window) {
  for (unsigned i = 0; i < window->tail_count; i++) {
    if (window->tails[i].ns != 0) {
      mark_tail(window, &window->tails[i], NULL);
    }
  }
  window->tail_count = 0;
}

static void drop_first(struct gw_window *window, bool reusable) {
  struct mark *first = &window->marks[window->first];
  if (reusable) {
    give_event(window, first->event);
    give_event(window, first->before);
  }
  leave(window, first->ns);
  window->first = (window->first + 1) % MARKS;
  window->count--;
}

/* Takes what is done out of the window. */
static void retire(struct gw_window *window) {
  while (window->count > 0) {
    struct mark *first = &window->marks[window->first];
    enum gw_busy busy = gw_driver_event_query(first->event);
    if (busy == GW_BUSY) {
      return;
    }
    if (busy == GW_DONE && first->before != 0) {
      uint64_t ns = gw_driver_event_elapsed(first->before, first->event);
      if (ns != 0) {
        gw_estimate_learn(&window->estimates, first->key, ns);
      }
    }
    drop_first(window, busy == GW_DONE);
  }
}

static void suspend(struct gw_window *window, uint64_t now) {
  while (window->count > 0) {
    drop_first(window, false); /* these may never be done: the events stay with them */
  }
  window->tail_count = 0;
  window->in_flight = 0;
  window->suspended_until = now + SUSPENSION_NS;
}

/* ---- a launch ----------------------------------------------------------------------------------
 */

static bool fits(const struct gw_window *window, uint64_t ns) {
  return window->in_flight == 0 || window->in_flight + ns <= size_ns;
}

static void make_room(struct gw_window *window, uint64_t ns) {
  if (fits(window, ns) && window->count < MARKS) {
    return;
  }
  retire(window);
  if (fits(window, ns)) {
    return;
  }
  mark_all(window);
  uint64_t start = now_ns(), now = start;
  while (!fits(window, ns)) {
    if (window->count == 0) {
      window->in_flight = 0;
    } else if (now - start > PATIENCE_NS) {
      suspend(window, now);
    } else {
      if (now - start > SPIN_NS) {
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
      }
      retire(window);
      now = now_ns();
    }
  }
}

/* Where the device holds what it has not begun, launches wait for no room. */
static void choose_gate(struct gw_window *window, struct gw_window_call *call, bool unknown) {
  call->gated = true;
  if (call->timed || unknown || window->count > MARKS / 2) {
    retire(window);
  }
  struct tail *tail = tail_of(window, call->stream);
  if (tail == NULL) {
    window->tail_count = 0;
    tail = tail_of(window, call->stream);
  }
  call->behind = tail->ns + call->ns > gw_stream_gates_spacing();
}

void gw_window_wait(gw_task *task, gw_word stream, uint64_t key, struct gw_window_call *call) {
  pthread_once(&sized, read_size);
  gw_word context = gw_driver_current_context();
  struct gw_window *window = size_ns != 0 && context != 0 ? find(context) : NULL;
  if (window == NULL) {
    return;
  }
  pthread_mutex_lock(&window->lock);
  if (window->suspended_until == 0 || now_ns() > window->suspended_until) {
    window->suspended_until = 0;
    struct gw_estimate *estimate = gw_estimate_find(&window->estimates, key);
    *call = (struct gw_window_call){
        .window = window,
        .stream = stream,
        .key = key,
        .ns = estimate->ns != 0 ? estimate->ns : size_ns / 2, /* careful with the unknown */
        .timed = gw_estimate_wants_time(estimate),
    };
    if (gw_stream_gates_ready(&window->gates, task)) {
      choose_gate(window, call, estimate->ns == 0);
    } else {
      make_room(window, call->ns);
      if (window->suspended_until == 0) {
        window->in_flight += call->ns;
      } else {
        call->window = NULL;
      }
    }
  }
  pthread_mutex_unlock(&window->lock);
}

void gw_window_open(struct gw_window_call *call) {
  if (call->window == NULL || !(call->timed || call->behind)) {
    return;
  }
  pthread_mutex_lock(&call->window->lock);
  if (call->behind) {
    gw_stream_gates_wait(&call->window->gates, call->stream);
    struct tail *tail = tail_of(call->window, call->stream);
    if (tail != NULL) {
      tail->ns = 0;
    }
  }
  if (!call->timed) {
    pthread_mutex_unlock(&call->window->lock);
    return;
  }
  gw_word event = take_event(call->window);
  if (event != 0 && !gw_driver_event_record(event, call->stream)) {
    give_event(call->window, event);
    event = 0;
  }
  call->before = event;
  pthread_mutex_unlock(&call->window->lock);
}

void gw_window_close(struct gw_window_call *call, bool submitted) {
  struct gw_window *window = call->window;
  pthread_mutex_lock(&window->lock);
  struct tail *tail = submitted ? tail_of(window, call->stream) : NULL;
  if (tail == NULL) {
    give_event(window, call->before);
    leave(window, call->gated ? 0 : call->ns);
  } else if (call->gated) {
    tail->ns += call->ns;
    if (call->before != 0) {
      mark(window, call->stream, 0, call);
    }
  } else {
    if (call->before != 0 && tail->ns != 0) {
      mark_tail(window, tail, NULL); /* so that the timed launch has a mark of its own */
    }
    tail->ns += call->ns;
    if (call->before != 0 || tail->ns >= size_ns / MARKS_PER_WINDOW) {
      mark_tail(window, tail, call);
    }
  }
  pthread_mutex_unlock(&window->lock);
}

/* ---- graphs ------------------------------------------------------------------------------------
 */

void gw_window_capture_begin(gw_task *task) {
  gw_word context = gw_stream_gates_in_graphs() != 0 ? gw_driver_current_context() : 0;
  struct gw_window *window = context != 0 ? find(context) : NULL;
  if (window != NULL) {
    pthread_mutex_lock(&window->lock);
    gw_stream_gates_ready(&window->gates, task);
    pthread_mutex_unlock(&window->lock);
  }
}

void gw_window_captured(gw_task *task, gw_word stream) {
  struct gw_window *window = find(gw_driver_current_context());
  if (window == NULL) {
    return;
  }
  pthread_mutex_lock(&window->lock);
  if (++window->gates.captured >= gw_stream_gates_in_graphs() &&
      gw_stream_gates_ready(&window->gates, task)) {
    window->gates.captured = 0;
    gw_stream_gates_wait(&window->gates, stream);
  }
  pthread_mutex_unlock(&window->lock);
}

/* ---- what goes ---------------------------------------------------------------------------------
 */

void gw_window_forget_stream(gw_word stream) {
  for (int i = 0; i < WINDOWS; i++) {
    struct gw_window *window = atomic_load(&windows[i]);
    if (window == NULL) {
      continue;
    }
    pthread_mutex_lock(&window->lock);
    for (unsigned j = 0; j < window->tail_count; j++) {
      if (window->tails[j].stream == stream) {
        leave(window, window->tails[j].ns);
        window->tails[j] = window->tails[--window->tail_count];
        break;
      }
    }
    pthread_mutex_unlock(&window->lock);
  }
}

void gw_window_release(void) {
  for (int i = 0; i < WINDOWS; i++) {
    struct gw_window *window = atomic_load(&windows[i]);
    gw_word address = window != NULL ? atomic_load(&window->gates.address) : 0;
    if (address != 0) {
      gw_driver_gate_clear(window->context, address);
    }
  }
}

/* Events and registered memory go with their context, and a new one may get the old one's address.
 */
void gw_window_forget_all(void) {
  for (int i = 0; i < WINDOWS; i++) {
    struct gw_window *window = atomic_load(&windows[i]);
    if (window != NULL) {
      pthread_mutex_lock(&window->lock);
      suspend(window, 0);
      window->suspended_until = 0;
      window->spare_count = 0;
      window->gates.state = GW_GATE_UNTRIED;
      atomic_store(&window->gates.address, 0);
      pthread_mutex_unlock(&window->lock);
    }
  }
}

void gw_window_fork_child(void) {
  pthread_mutex_init(&making, NULL);
  for (int i = 0; i < WINDOWS; i++) {
    atomic_store(&windows[i], NULL);
  }
}
