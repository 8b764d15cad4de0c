#include "window.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../gate/clock.h"
#include "device.h"
#include "estimate.h"
#include "marks.h"
#include "stream_gate.h"

#define WINDOWS 16 /* contexts of this process that are limited */
#define MARKS_PER_WINDOW 4
#define DEFAULT_WINDOW_US 500
/* Work that takes longer than this to get done waits for something else, perhaps for what the
 * program submits next: then a window would be a deadlock. */
#define PATIENCE_NS UINT64_C(100000000)
#define SUSPENSION_NS UINT64_C(1000000000)
#define SPIN_NS UINT64_C(20000)
#define POLL_NS 20000
/* How many launches a held program may submit: a network or so. Far less than what a driver takes
 * before it makes a program wait, with locks in its hands. */
#define AHEAD 256

struct gw_window {
  gw_word context; /* events belong to one; 0: free */
  pthread_mutex_t lock;
  uint64_t suspended_until;
  struct gw_marks marks;
  struct gw_stream_gates gates;
  uint64_t ahead_closing; /* when the task's gate closed that `ahead` is about */
  unsigned ahead;         /* launches since */
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

static void suspend(struct gw_window *window, uint64_t now) {
  gw_marks_drop(&window->marks);
  window->suspended_until = now + SUSPENSION_NS;
}

/* ---- a launch ----------------------------------------------------------------------------------
 */

static bool fits(const struct gw_window *window, uint64_t ns) {
  return window->marks.in_flight == 0 || window->marks.in_flight + ns <= size_ns;
}

static void make_room(struct gw_window *window, uint64_t ns) {
  if (fits(window, ns) && window->marks.count < GW_MARKS) {
    return;
  }
  gw_marks_retire(&window->marks, &window->estimates);
  if (fits(window, ns)) {
    return;
  }
  gw_mark_all(&window->marks);
  uint64_t start = gw_now(), now = start;
  while (!fits(window, ns)) {
    if (window->marks.count == 0) {
      window->marks.in_flight = 0;
    } else if (now - start > PATIENCE_NS) {
      suspend(window, now);
    } else {
      if (now - start > SPIN_NS) {
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
      }
      gw_marks_retire(&window->marks, &window->estimates);
      now = gw_now();
    }
  }
}

/* Where the device holds what it has not begun, launches wait for no room. */
static void choose_gate(struct gw_window *window, struct gw_window_call *call, bool unknown) {
  call->gated = true;
  if (call->timed || unknown || window->marks.count > GW_MARKS / 2) {
    gw_marks_retire(&window->marks, &window->estimates);
  }
  struct gw_tail *tail = gw_tail_of(&window->marks, call->stream);
  if (tail == NULL) {
    window->marks.tail_count = 0;
    tail = gw_tail_of(&window->marks, call->stream);
  }
  uint64_t closing = window->gates.of.closing;
  call->behind = tail->ns + call->ns > gw_stream_gates_spacing(&window->gates);
  if (closing == 0) {
    return;
  }
  /* What is on its stream behind a gate that was put there since, waits with it. */
  call->behind = call->behind || tail->closing != closing;
  if (window->ahead_closing != closing) {
    window->ahead_closing = closing;
    window->ahead = 0;
  }
  call->ahead = window->ahead++ < AHEAD;
}

void gw_window_wait(gw_task *task, gw_word stream, uint64_t key, struct gw_window_call *call) {
  call->ahead = false; /* the rest counts only where there is a window */
  pthread_once(&sized, read_size);
  gw_word context = gw_driver_current_context();
  struct gw_window *window = size_ns != 0 && context != 0 ? find(context) : NULL;
  if (window == NULL) {
    return;
  }
  pthread_mutex_lock(&window->lock);
  if (window->suspended_until == 0 || gw_now() > window->suspended_until) {
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
        window->marks.in_flight += call->ns;
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
    struct gw_tail *tail = gw_tail_of(&call->window->marks, call->stream);
    if (tail != NULL) {
      tail->ns = 0;
      tail->closing = call->window->gates.of.closing;
    }
  }
  if (!call->timed) {
    pthread_mutex_unlock(&call->window->lock);
    return;
  }
  gw_word event = gw_event_take(&call->window->marks);
  if (event != 0 && !gw_driver_event_record(event, call->stream)) {
    gw_event_give(&call->window->marks, event);
    event = 0;
  }
  call->before = event;
  pthread_mutex_unlock(&call->window->lock);
}

void gw_window_close(struct gw_window_call *call, bool submitted) {
  struct gw_window *window = call->window;
  pthread_mutex_lock(&window->lock);
  struct gw_tail *tail = submitted ? gw_tail_of(&window->marks, call->stream) : NULL;
  if (tail == NULL) {
    gw_event_give(&window->marks, call->before);
    gw_marks_leave(&window->marks, call->gated ? 0 : call->ns);
  } else if (call->gated) {
    tail->ns += call->ns;
    if (call->before != 0) {
      gw_mark(&window->marks, call->stream, 0, call->before, call->key);
    }
  } else {
    if (call->before != 0 && tail->ns != 0) {
      gw_mark_tail(&window->marks, tail, 0, 0); /* so that the timed launch has a mark of its own */
    }
    tail->ns += call->ns;
    if (call->before != 0 || tail->ns >= size_ns / MARKS_PER_WINDOW) {
      gw_mark_tail(&window->marks, tail, call->before, call->key);
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
    gw_marks_forget_stream(&window->marks, stream);
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
      window->marks.spare_count = 0;
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
