/* The watcher sleeps without a time limit unless a task is active. For an active task it sends the
 * heartbeat, stops work that runs behind a closed gate, and notices when nothing has run for
 * linger.
 */
#include "watcher.h"

#include <stdio.h>

#include "activity.h"
#include "clock.h"
#include "compute.h"
#include "decider.h"
#include "futex.h"
#include "grace.h"
#include "kernel_state.h"
#include "lock.h"
#include "rule.h"
#include "settings.h"
#include "spend.h"
#include "stream_gate.h"
#include "task.h"
#include "thread.h"
#include "wait.h"
#include "wake.h"
#include "warn.h"

#define LONGEST_TICK_NS (20 * GW_MS)   /* the longest time between two heartbeats */
#define TAIL_MAX_NS (20 * GW_MS)       /* the longest work of a program after its last region */
#define WHOLE_TICK_NS (4 * GW_MS)      /* how often new threads of a held process are stopped */
#define OPERATOR_MAX_NS (1000 * GW_MS) /* an operator is believed to run for at most this long */

static bool running; /* under gw_process.lock */

/* The hook's, called when a gate closes; NULL where running work cannot be stopped. */
static _Atomic(void (*)(void)) stop_running;

void gw_on_preempt(void (*preempt)(void)) { atomic_store(&stop_running, preempt); }

/* Whether the thread that launched last still has work: the end of an operator is not reported, and
 * a program between two regions may be waiting for a core. The kernel tells a thread that runs, or
 * waits for a core, from one that waits for work. */
static bool thread_runs(const struct gw_task *task, uint64_t now, uint64_t last) {
  int thread = GW_READ(task->last_thread);
  uint64_t believed = thread < 0 ? OPERATOR_MAX_NS : TAIL_MAX_NS;
  if (thread == 0 || now - last > believed) {
    return false;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread < 0 ? -thread : thread);
  char state = gw_kernel_state(path);
  return state == 'R' || state == 'D';
}

static void end_quantum(struct gw_task *task, uint64_t now) {
  if (gw_page_lock(task->page) == GW_OK) {
    atomic_store(&gw_row_of(task)->quantum_end_ns, 0);
    gw_gates_update(task->page, now);
    gw_page_unlock(task->page);
  }
}

/* Makes the task active again, after other tasks have taken it for dead or stopped. */
static void reactivate(struct gw_task *task, uint64_t now) {
  if (gw_page_lock(task->page) == GW_OK) {
    if (!gw_task_lost(task) && atomic_load(&task->active)) {
      atomic_store(&gw_row_of(task)->state, GW_ACTIVE);
      gw_gates_update(task->page, now);
    }
    gw_page_unlock(task->page);
  }
}

static bool preemptible(const struct gw_task *task) {
  return !task->options.is_thread && task->options.busy == NULL && GW_READ(stop_running) != NULL &&
         GW_READ(gw_process.task_count) == 1;
}

/* Stops the work that runs behind a closed gate, once for each closing, and then checks the hold as
 * a waiting launch does for itself. Where the gate stops the whole process, its threads come back
 * from whatever they waited for, and are stopped then. Returns when to look again. */
static uint64_t preempt(struct gw_task *task, struct gw_seat seat, uint64_t now) {
  uint64_t closed_ns = atomic_load(&seat.row->closed_ns);
  bool waited = task->preempted_ns == closed_ns, whole = gw_stops_process(task);
  if (!waited || whole) {
    atomic_load (&stop_running)();
  }
  if (!waited) {
    task->preempted_ns = closed_ns;
    atomic_fetch_add(&seat.row->held, 1);
    task->held_since_ns = now;
  }
  uint64_t slice = gw_check_hold(task, seat, now, waited);
  return now + (whole && slice > WHOLE_TICK_NS ? WHOLE_TICK_NS : slice);
}

/* Counts the held time of stopped work; a launch that waits at the gate counts its own. */
static void count_held(struct gw_task *task, uint64_t now) {
  if (task->held_since_ns != 0) {
    struct gw_row *row = gw_row_of(task);
    GW_ADD(row->held_ns, now - task->held_since_ns);
    task->held_since_ns = atomic_load(&row->gate) == GW_CLOSED ? now : 0;
  }
}

/* Checks, seldom, what other processes do not tell: a dead daemon, a lost row. */
static void check_page(struct gw_task *task, uint64_t now) {
  if (now - task->checked_ns <= LONGEST_TICK_NS) {
    return;
  }
  task->checked_ns = now;
  gw_grace_watch();
  gw_daemon_check(task->page, now);
  if (gw_task_lost(task)) {
    gw_release_lost(task);
    atomic_store(&task->active, 0); /* the next launch joins again */
  }
}

/* The heartbeat. */
static void beat(struct gw_task *task, uint64_t now) {
  struct gw_row *row = gw_row_of(task);
  task->options.priority = GW_READ(row->priority);
  GW_WRITE(row->beat_ns, now);
  if (atomic_load(&row->state) == GW_IDLE && GW_READ(row->parked) == GW_NOT_PARKED) {
    reactivate(task, now);
  }
}

/* Ends a quantum that is over. Returns when the task's quantum ends or ended; 0: it has none. */
static uint64_t watch_quantum(struct gw_task *task, uint64_t now) {
  uint64_t end = atomic_load(&gw_row_of(task)->quantum_end_ns);
  if (end != 0 && now >= end) {
    end_quantum(task, now);
  }
  return end;
}

/* Launches are in flight. */
static uint64_t watch_running(struct gw_task *task, uint64_t now, uint32_t in_flight,
                              uint64_t quantum_end, uint64_t next) {
  struct gw_seat seat = gw_seat_of(task);
  uint32_t waiting = atomic_load(&task->waiting);
  bool runs = in_flight > waiting || gw_stops_process(task);
  if (runs && preemptible(task) && gw_is_held(task, seat)) {
    return preempt(task, seat, now);
  }
  return waiting != 0 && quantum_end == 0 ? now + LONGEST_TICK_NS : next;
}

/* When the task last began or finished a launch. gw_admit writes no time, to be cheap: its launches
 * are noticed by their count. */
static uint64_t last_launch(struct gw_task *task, uint64_t launches, uint64_t now) {
  if (launches != task->seen_launches) {
    task->seen_launches = launches;
    if (task->options.busy != NULL) {
      atomic_store(&task->last_ns, now);
      return now;
    }
  }
  return atomic_load(&task->last_ns);
}

/* Whether the task's device works. A task that left during the look is not asked again. */
static bool works(struct gw_task *task) {
  return task->options.busy != NULL && (gw_task_is_busy(task) > 0 || atomic_load(&task->left));
}

/* Whether the device has been free since `last`, when linger began. If this look is the first to
 * find it free, linger begins now: it may have worked until a moment ago, and the program may be
 * about to launch what comes next. The same if a wait for it has ended during this look. */
static bool has_been_free(struct gw_task *task, uint64_t launches, uint64_t last, uint64_t now) {
  if (task->options.busy != NULL && atomic_load(&task->free_launches) != launches) {
    atomic_store(&task->last_ns, now);
    atomic_store(&task->free_launches, launches);
  }
  return atomic_load(&task->last_ns) == last;
}

/* No launch is in flight: the task becomes idle when nothing has run for linger. */
static uint64_t watch_resting(struct gw_task *task, uint64_t now, bool matters, uint64_t next) {
  uint64_t launches = gw_launches_of(task);
  uint64_t last = last_launch(task, launches, now);
  uint64_t linger = gw_settings()->linger_ns, idle_at = last + linger;
  if (now < idle_at) {
    return matters && idle_at < next ? idle_at : next;
  }
  if (thread_runs(task, now, last) || works(task)) {
    return next;
  }
  if (!has_been_free(task, launches, last, now)) {
    return now + linger < next ? now + linger : next;
  }
  return gw_deactivate(task, launches) ? UINT64_MAX : next;
}

/* Each look takes a core from a thread that computes: seldom where no task waits for the answer. */
static uint64_t tick_ns(bool matters) {
  uint64_t linger = gw_settings()->linger_ns;
  if (!matters || linger > LONGEST_TICK_NS) {
    return LONGEST_TICK_NS;
  }
  return linger < GW_MS ? GW_MS : linger;
}

/* Returns when to look at this task again; UINT64_MAX: not before the task is active. */
static uint64_t watch(struct gw_task *task, uint64_t now) {
  if (atomic_load(&task->left)) {
    return UINT64_MAX;
  }
  bool matters = gw_has_flag(gw_row_of(task), GW_ROW_MATTERS);
  if (!atomic_load(&task->active)) {
    return gw_look_at_idle(task, now) ? now + tick_ns(matters) : UINT64_MAX;
  }
  uint64_t next = now + tick_ns(matters), quantum_end = 0;
  count_held(task, now);
  check_page(task, now);
  if (!gw_task_lost(task)) {
    gw_grace_update(task, now);
    beat(task, now);
    quantum_end = watch_quantum(task, now);
    next = quantum_end > now && quantum_end < next ? quantum_end : next;
  }
  uint64_t slice = gw_check_stream_hold(task, now);
  if (slice != 0) {
    return now + slice;
  }
  if (!gw_look_at_active(task, now)) {
    return now + tick_ns(matters);
  }
  if (matters && !gw_task_lost(task)) {
    uint64_t spend = gw_spend(task, now);
    next = spend < next ? spend : next;
  }
  uint32_t in_flight = atomic_load(&task->in_flight);
  if (in_flight != 0 || gw_stops_process(task)) {
    return watch_running(task, now, in_flight, quantum_end, next);
  }
  next = watch_resting(task, now, matters, next);
  if (next == UINT64_MAX) {
    gw_spend_end(task, now);
  }
  return next;
}

static void *watcher(void *unused) {
  (void)unused;
  pthread_setname_np(pthread_self(), "giveway");
  for (;;) {
    uint32_t word = atomic_load(&gw_wake.word);
    uint64_t next = UINT64_MAX;
    uint64_t now = gw_now();
    struct gw_seat at_gate = {NULL, 0};
    uint32_t gate = GW_OPEN;
    /* Read before the tasks: a launch that makes a task active after this wakes the watcher. */
    atomic_store(&gw_wake.asleep, true);
    pthread_mutex_lock(&gw_process.lock);
    for (struct gw_task *task = gw_process.tasks; task != NULL; task = task->next) {
      struct gw_seat seat = gw_seat_of(task); /* before the look, so that no closing is missed */
      uint32_t before = atomic_load(&seat.row->gate);
      uint64_t at = watch(task, now);
      next = at < next ? at : next;
      if (at != UINT64_MAX && preemptible(task)) {
        at_gate = seat;
        gate = before;
      }
    }
    if (gw_sweep() && next > now + LONGEST_TICK_NS) {
      next = now + LONGEST_TICK_NS;
    }
    pthread_mutex_unlock(&gw_process.lock);
    if (next != UINT64_MAX) {
      atomic_store(&gw_wake.asleep, false);
    }
    now = gw_now();
    if (next <= now) {
      continue;
    }
    if (next != UINT64_MAX && at_gate.row != NULL) {
      gw_sleep_at_gate(at_gate, gate, next - now);
    } else {
      gw_futex_wait(&gw_wake.word, word, next == UINT64_MAX ? UINT64_MAX : next - now, false);
    }
  }
  return NULL;
}

int gw_watcher_start(void) {
  int error = running ? 0 : gw_thread_start(watcher, NULL);
  running = error == 0;
  return running ? GW_OK : gw_fail(GW_E_RESOURCES, error);
}

static void forget(void) {
  running = false;
  atomic_store(&gw_wake.asleep, false);
}

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
