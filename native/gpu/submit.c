#include "submit.h"

#include "../gate/clock.h"
#include "room.h"

#define MARKS_PER_WINDOW 4
/* The number of launches that may be in the queue of a held program: about one pass of a network.
 * Drivers take about four times as many before they make a program wait, while it holds locks. */
#define AHEAD 256
/* The most launches between two gates of a stream, however short they are thought to be. */
#define UNGATED 64
/* For how long after a change of streams a context counts as one that uses several. */
#define SEVERAL_NS UINT64_C(1000000000)
/* Unknown work alone on the device takes that part of the time between two gates. */
#define UNKNOWN_PARTS 4

/* Every thread has another stream behind the handle of the per-thread stream. */
static gw_word identity(gw_word stream) {
  static _Atomic gw_word threads;
  static _Thread_local gw_word thread;
  if (stream != GW_STREAM_PER_THREAD) {
    return stream;
  }
  if (thread == 0) {
    thread = ~atomic_fetch_add(&threads, 1); /* no address of a stream */
  }
  return thread;
}

/* A launch whose way is being decided. */
struct decision {
  struct gw_window *window;
  struct gw_submission *call;
  enum gw_work work;
  bool outranked;
  bool can_hold; /* the device can, at a gate */
  bool beside;   /* a copy, beside kernels for which there are gates */
  bool gates;    /* the work's limit is a gate; otherwise it is the window */
  struct gw_stream_gate gate;
};

/* ---- what a piece of work gets --------------------------------------------------------------- */

/* Two streams of a context that the device holds keep the context's time slices, although neither
 * of them works, and the urgent program has half of the device. One held stream gives its slices
 * up. So a context with kernels on several streams has a window in place of stream gates. */
static bool uses_several_streams(struct gw_window *window, gw_word id) {
  bool changed = window->kernel_stream != 0 && window->kernel_stream != id;
  window->kernel_stream = id;
  if (!changed && window->several_until == 0) {
    return false;
  }
  uint64_t now = gw_now();
  if (changed) {
    window->several_until = now + SEVERAL_NS;
  } else if (now > window->several_until) {
    window->several_until = 0;
  }
  return window->several_until != 0;
}

/* Chooses the limit of the work. Copies beside the kernels are not behind gates: theirs would be
 * the second stream that is held. */
static void choose_limit(struct decision *d) {
  struct gw_window *window = d->window;
  gw_word kernels = window->kernel_stream;
  bool several;
  if (d->work == GW_KERNEL || d->work == GW_GRAPH) {
    several = uses_several_streams(window, d->call->id);
    window->kernel_handle = d->call->stream;
  } else {
    several = window->several_until != 0;
    d->beside = d->can_hold && !several && kernels != 0 && kernels != d->call->id;
  }
  d->gates = d->can_hold && !several && !d->beside;
}

static uint64_t charge(uint32_t ns, uint64_t unknown, uint64_t least) {
  return ns == 0 ? unknown : ns > least ? ns : least;
}

/* Notes how much has been submitted since the last gate. */
static void put_behind(struct decision *d, bool behind) {
  d->call->behind = behind;
  d->window->since_gate = behind ? d->call->ns : d->window->since_gate + d->call->ns;
}

/* With stream gates, launches do not wait for room. Behind a closed gate the device holds the work,
 * and the program goes on. Work behind a gate that was put on its stream since the closing needs no
 * gate of its own. */
static void choose_gate(struct decision *d, uint32_t longest) {
  struct gw_submission *call = d->call;
  struct gw_marks *marks = &d->window->marks;
  uint64_t spacing = gw_stream_gates_spacing(&d->gate), closing = d->gate.closing;
  if (longest == 0 || call->timed || marks->count > GW_MARKS / 2) {
    gw_window_look(d->window);
  }
  call->ns = charge(longest, gw_room_size() / 2, spacing / UNGATED);
  put_behind(d, d->work == GW_GRAPH || d->window->since_gate + call->ns > spacing ||
                    (closing != 0 && gw_tail_of(marks, call->id)->closing != closing));
  /* The driver does not say whether a per-thread stream works, but whether a fence is reached. */
  call->marked = call->timed || (call->behind && (call->stream == GW_STREAM_PER_THREAD ||
                                                  marks->submitted >= marks->marked + UNGATED));
  if (closing == 0 || d->work == GW_COPY) {
    return; /* a driver may make the program wait for its copy, while it holds locks */
  }
  if (marks->submitted - marks->finished >= AHEAD) {
    gw_window_look(d->window);
  }
  call->ahead = marks->submitted - marks->finished < AHEAD;
}

/* False: the window is suspended. */
static bool choose_room(struct decision *d, gw_task *task, uint32_t shortest) {
  struct gw_submission *call = d->call;
  struct gw_marks *marks = &d->window->marks;
  uint64_t size = gw_room_size();
  call->ns = shortest != 0 ? shortest : size / 2; /* careful with the unknown */
  struct gw_piece piece = {call->stream, call->id, call->ns, shortest != 0};
  if (!gw_room_make(d->window, d->can_hold ? task : NULL, piece)) {
    return false;
  }
  /* How fast the device works on several streams is measured from the first of their work on. That
   * takes events that outlive their streams. */
  call->limited = true;
  call->first = marks->in_flight == 0 && marks->tail_count > 1 && !gw_driver_events_touch_streams;
  call->timed = call->timed || call->first;
  /* No more than half of a window is without a fence, on all streams together. */
  call->counted = true;
  call->marked = call->timed || marks->in_flight + call->ns > gw_room_of(d->window) / 2 ||
                 gw_tail_of(marks, call->id)->ns + call->ns >= size / MARKS_PER_WINDOW;
  return true;
}

/* No task outranks this one: now and then a gate, or where the device holds nothing a fence, so
 * that it is known what is in flight when another task comes, and a wait where that is very much.
 * Work beside the kernels leaves the gate to them. */
static void choose_sparsely(struct decision *d, uint32_t shortest, uint32_t longest) {
  struct gw_window *window = d->window;
  uint64_t unknown = d->work == GW_GRAPH ? GW_SPARSE_NS : GW_SPARSE_NS / UNKNOWN_PARTS;
  d->call->ns = charge(longest, unknown, GW_SPARSE_NS / GW_SPARSE_LAUNCHES);
  if (!d->gates) {
    gw_room_await_ahead(window, d->call->id);
  }
  bool due = !d->beside && window->since_gate + d->call->ns > GW_SPARSE_NS;
  if (longest == 0 || due) {
    gw_window_look(window);
  }
  put_behind(d, due);
  d->call->behind = due && d->gates;
  d->call->timed = d->call->timed || due;
  d->call->marked =
      d->call->timed ||
      (!d->gates && gw_tail_of(&window->marks, d->call->id)->ns + d->call->ns > GW_SPARSE_NS);
  d->call->counted = !d->gates;
  if (d->call->counted) { /* as beside an urgent task: a wait for too much would be in vain */
    d->call->ns = charge(shortest, gw_room_size() / 2, 0);
  }
  gw_sparse_begin(&window->of->sparse,
                  GW_SPARSE_NS > window->since_gate ? GW_SPARSE_NS - window->since_gate : 0,
                  window->several_until != 0 ? 0 : window->kernel_handle);
}

/* Registers the gate's word with the device, once. */
static void prepare_gates(struct decision *d) {
  struct gw_stream_gates *gates = &d->window->gates;
  if (gw_stream_gates_try(gates, &d->gate)) {
    gw_window_unlock(d->window);
    gw_word address = gw_stream_gates_register(&d->gate);
    gw_window_lock(d->window);
    gw_stream_gates_registered(gates, &d->gate, address);
  }
  d->can_hold = gw_stream_gates_ready(gates, &d->gate);
}

/* Counts what has gone without a decision since the last one. */
static void count_sparse(struct decision *d) {
  struct gw_sparse_taken taken = gw_sparse_end(&d->window->of->sparse);
  d->window->marks.submitted += taken.launches;
  d->window->since_gate += taken.ns;
  if (!d->gates && !d->beside && taken.ns != 0) {
    gw_marks_count(&d->window->marks, d->call->id, taken.ns);
  }
}

/* False: the work is not limited. */
static bool decide(struct decision *d, gw_task *task) {
  struct gw_submission *call = d->call;
  if (d->can_hold) {
    prepare_gates(d);
  }
  choose_limit(d);
  count_sparse(d);
  struct gw_estimate *estimate = gw_estimate_find(&d->window->of->estimates, call->key);
  call->timed = gw_estimate_wants_time(estimate);
  if (!d->outranked) {
    choose_sparsely(d, estimate->ns, estimate->longest_ns);
  } else if (d->gates) {
    choose_gate(d, estimate->longest_ns);
  } else {
    return choose_room(d, task, estimate->ns);
  }
  return true;
}

/* Reserves the events and gates that the work needs, until the driver has taken it. */
static void reserve(struct decision *d) {
  struct gw_marks *marks = &d->window->marks;
  struct gw_submission *call = d->call;
  marks->submitted++;
  if (call->counted) {
    gw_marks_count(marks, call->id, call->ns);
  }
  call->marked = call->marked && gw_marks_expect(marks);
  call->timed = call->timed && call->marked;
  call->before = call->timed ? gw_event_take(marks) : 0;
  call->after = call->marked ? gw_event_take(marks) : 0;
  call->address = d->window->gates.address;
  call->open = d->gate.open;
  call->closing = d->gate.closing;
}

/* ---- submission ------------------------------------------------------------------------------ */

/* Makes the event where there was no spare one. An event of a context that has gone is left alone.
 */
static bool record(const struct gw_submission *call, gw_word *event) {
  if (atomic_load(&call->window->gone)) {
    return false;
  }
  *event = *event != 0 ? *event : gw_driver_event_create();
  return *event != 0 && gw_driver_event_record(*event, call->stream);
}

static void put_gate(struct gw_submission *call) {
  struct gw_window *window = call->window;
  bool put = gw_stream_gates_put(call->stream, call->address, call->open);
  gw_window_lock(window);
  if (put) {
    gw_tail_of(&window->marks, call->id)->closing = call->closing;
  } else {
    window->gates.state = GW_GATE_FAILED; /* the window takes over */
  }
  gw_window_unlock(window);
}

void gw_submit_begin(struct gw_windows *windows, gw_task *task, bool outranked, enum gw_work work,
                     struct gw_submission *call) {
  struct decision d = {.call = call, .work = work, .outranked = outranked};
  call->ahead = false; /* the other fields count only where there is a window */
  gw_word context = gw_room_size() != 0 ? gw_driver_current_context() : 0;
  if (context != 0) {
    d.can_hold = gw_stream_gates_wanted() && gw_stream_gate(task, &d.gate);
    d.window = gw_window_enter(windows, context);
  }
  if (d.window != NULL) {
    *call = (struct gw_submission){
        .stream = call->stream, .id = identity(call->stream), .key = call->key};
    if (decide(&d, task)) {
      reserve(&d);
      call->window = d.window;
      gw_window_unlock(d.window);
    } else {
      gw_window_leave(d.window);
    }
  }
  if (call->ahead) {
    gw_admit_held(task);
  } else {
    gw_admit(task);
  }
  if (call->window != NULL && call->behind) {
    put_gate(call);
  }
  if (call->window != NULL && call->timed) {
    call->timed = record(call, &call->before);
  }
}

void gw_submit_end(struct gw_submission *call, bool submitted) {
  struct gw_window *window = call->window;
  struct gw_marks *marks = &window->marks;
  bool recorded = submitted && call->marked && record(call, &call->after);
  gw_window_lock(window);
  marks->coming -= call->marked;
  if (!submitted && call->counted) {
    gw_marks_uncount(marks, call->id, call->ns);
  }
  if (recorded) {
    gw_word before = call->timed ? call->before : 0;
    struct gw_mark *mark = gw_marks_add(marks, call->id, call->after, before, call->key);
    mark->limited = call->limited;
    mark->first = call->first && before != 0;
  } else {
    gw_event_give(marks, call->after);
  }
  if (!recorded || !call->timed) {
    gw_event_give(marks, call->before);
  }
  gw_window_leave(window);
}

/* ---- graphs ---------------------------------------------------------------------------------- */

static struct gw_window *enter_for_graph(struct gw_windows *windows, gw_task *task,
                                         struct decision *d) {
  gw_word context = gw_stream_gates_in_graphs() != 0 ? gw_driver_current_context() : 0;
  d->can_hold = context != 0 && gw_stream_gate(task, &d->gate);
  d->window = d->can_hold ? gw_window_enter(windows, context) : NULL;
  if (d->window != NULL) {
    prepare_gates(d);
  }
  return d->window;
}

void gw_submit_capture_begin(struct gw_windows *windows, gw_task *task) {
  struct decision d;
  if (enter_for_graph(windows, task, &d) != NULL) {
    gw_window_leave(d.window);
  }
}

void gw_submit_captured(struct gw_windows *windows, gw_task *task, gw_word stream) {
  struct decision d;
  struct gw_window *window = enter_for_graph(windows, task, &d);
  if (window == NULL) {
    return;
  }
  bool due = ++window->gates.captured >= gw_stream_gates_in_graphs() && d.can_hold;
  window->gates.captured = due ? 0 : window->gates.captured;
  gw_word address = window->gates.address;
  gw_window_leave(window);
  if (due) {
    gw_stream_gates_put(stream, address, d.gate.open);
  }
}
