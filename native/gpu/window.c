#include "window.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../gate/clock.h"
#include "../gate/number.h"
#include "estimate.h"
#include "marks.h"
#include "stream_gate.h"

#define WINDOWS 16 /* contexts of this process that are limited */
#define MARKS_PER_WINDOW 4
#define DEFAULT_WINDOW_US 500
/* Work that takes longer waits for something else, perhaps for work that the program submits next.
 * A longer wait for the window might then be a deadlock. */
#define PATIENCE_NS UINT64_C(100000000)
#define SUSPENSION_NS UINT64_C(1000000000)
#define SPIN_NS UINT64_C(20000)
#define POLL_NS 20000
/* The number of launches that a held program may submit: about one pass of a network. Drivers take
 * far more before they make a program wait, while it holds locks. */
#define AHEAD 256
/* The most launches between two gates of a stream, however short they are thought to be. */
#define UNGATED 64
/* For how long after a change of streams a context counts as one that uses several. */
#define SEVERAL_NS UINT64_C(1000000000)

struct gw_window {
  gw_word context; /* events belong to one; 0: free */
  pthread_mutex_t lock;
  uint64_t suspended_until;
  gw_word last_stream;    /* of the last launch; 0: none yet */
  uint64_t several_until; /* 0: launches have kept to one stream */
  struct gw_marks marks;
  struct gw_stream_gates gates;
  uint64_t ahead_closing; /* when the task's gate last closed */
  unsigned ahead;         /* launches since then */
  struct gw_estimates estimates;
};

static struct gw_window *_Atomic windows[WINDOWS];
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static uint64_t size_ns;
static pthread_once_t sized = PTHREAD_ONCE_INIT;

static void read_size(void) {
  size_ns = (uint64_t)(gw_environment_number("GIVEWAY_WINDOW_US", 1e9, DEFAULT_WINDOW_US) * 1000);
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

/* ---- a launch ----------------------------------------------------------------------------- */

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

/* Two streams of a context that the device holds keep the context's time slices, although neither
 * of them works, and the urgent program has half of the device. One held stream gives its slices
 * up. So a context with launches on several streams has a window in place of stream gates. */
static bool uses_several_streams(struct gw_window *window, gw_word stream) {
  bool changed = window->last_stream != 0 && window->last_stream != stream;
  window->last_stream = stream;
  if (!changed && window->several_until == 0) {
    return false;
  }
  uint64_t now = gw_now();
  if (changed) {
    if (window->several_until == 0) {
      window->marks.tail_count = 0; /* work behind gates, which is not part of the window */
    }
    window->several_until = now + SEVERAL_NS;
  } else if (now > window->several_until) {
    window->several_until = 0;
  }
  return window->several_until != 0;
}

/* Decides whether the launch gets a stream gate. With stream gates, launches do not wait for room.
 */
static void choose_gate(struct gw_window *window, struct gw_window_call *call,
                        const struct gw_estimate *estimate, bool graph) {
  bool unknown = estimate->ns == 0;
  call->gated = true;
  call->ns = unknown ? call->ns : estimate->longest_ns;
  if (call->timed || unknown || window->marks.count > GW_MARKS / 2) {
    gw_marks_retire(&window->marks, &window->estimates);
  }
  struct gw_tail *tail = gw_tail_of(&window->marks, call->stream);
  if (tail == NULL) {
    window->marks.tail_count = 0;
    tail = gw_tail_of(&window->marks, call->stream);
  }
  uint64_t closing = window->gates.of.closing;
  call->behind = graph || tail->launches >= UNGATED ||
                 tail->ns + call->ns > gw_stream_gates_spacing(&window->gates);
  if (closing == 0) {
    return;
  }
  /* Work behind a gate that was put on its stream since the closing needs no gate of its own. */
  call->behind = call->behind || tail->closing != closing;
  if (window->ahead_closing != closing) {
    window->ahead_closing = closing;
    window->ahead = 0;
  }
  call->ahead = window->ahead++ < AHEAD;
}

void gw_window_wait(gw_task *task, gw_word stream, uint64_t key, bool graph,
                    struct gw_window_call *call) {
  call->ahead = false; /* the other fields count only where there is a window */
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
    if (!uses_several_streams(window, stream) && gw_stream_gates_ready(&window->gates, task)) {
      choose_gate(window, call, estimate, graph);
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
      tail->launches = 0;
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
    tail->launches++;
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

/* ---- graphs ------------------------------------------------------------------------------- */

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

/* ---- streams and contexts that are destroyed ---------------------------------------------- */

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

void gw_window_forget_kind(uint64_t key) {
  for (int i = 0; i < WINDOWS; i++) {
    struct gw_window *window = atomic_load(&windows[i]);
    if (window != NULL) {
      pthread_mutex_lock(&window->lock);
      gw_estimate_forget(&window->estimates, key);
      pthread_mutex_unlock(&window->lock);
    }
  }
}

void gw_window_forget_kinds(void) {
  for (int i = 0; i < WINDOWS; i++) {
    struct gw_window *window = atomic_load(&windows[i]);
    if (window != NULL) {
      pthread_mutex_lock(&window->lock);
      gw_estimates_clear(&window->estimates);
      pthread_mutex_unlock(&window->lock);
    }
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

/* Events and registered memory are destroyed with their context, and a new context may get the
 * address of the old one. */
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

static void forget(void) {
  pthread_mutex_init(&making, NULL);
  for (int i = 0; i < WINDOWS; i++) {
    atomic_store(&windows[i], NULL);
  }
}

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
