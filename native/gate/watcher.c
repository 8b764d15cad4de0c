/* The watcher sleeps without a time limit unless a task is active. For an active task it sends the
 * heartbeat, stops work that runs behind a closed gate, and notices when nothing has run for
 * linger.
 */
#include "watcher.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "activity.h"
#include "clock.h"
#include "decider.h"
#include "futex.h"
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
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread < 0 ? -thread : thread);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return false; /* the thread is gone */
  }
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size > 0 ? size : 0] = '\0';
  const char *name_end = strrchr(text, ')');
  return name_end != NULL && name_end[1] == ' ' && (name_end[2] == 'R' || name_end[2] == 'D');
}

static void end_quantum(struct gw_task *task, uint64_t now) {
  if (gw_page_lock(task->page) == GW_OK) {
    atomic_store(&task->row->quantum_end_ns, 0);
    gw_gates_update(task->page, now);
    gw_page_unlock(task->page);
  }
}

/* Makes the task active again, after other tasks have taken it for dead or stopped. */
static void reactivate(struct gw_task *task, uint64_t now) {
  if (gw_page_lock(task->page) == GW_OK) {
    if (!gw_task_lost(task) && atomic_load(&task->active)) {
      atomic_store(&task->row->state, GW_ACTIVE);
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
 * a waiting launch does for itself. Returns when to look again. */
static uint64_t preempt(struct gw_task *task, uint64_t now) {
  uint64_t closed_ns = atomic_load(&task->row->closed_ns);
  bool waited = task->preempted_ns == closed_ns;
  if (!waited) {
    task->preempted_ns = closed_ns;
    atomic_load (&stop_running)();
    atomic_fetch_add(&task->row->held, 1);
    task->held_since_ns = now;
  }
  return now + gw_check_hold(task, now, waited);
}

/* Counts the held time of stopped work; a launch that waits at the gate counts its own. */
static void count_held(struct gw_task *task, uint64_t now) {
  if (task->held_since_ns != 0) {
    GW_ADD(task->row->held_ns, now - task->held_since_ns);
    task->held_since_ns = atomic_load(&task->row->gate) == GW_CLOSED ? now : 0;
  }
}

/* Checks the page for damage, seldom: each check costs system calls. */
static void check_page(struct gw_task *task, uint64_t now) {
  if (now - task->checked_ns <= LONGEST_TICK_NS) {
    return;
  }
  task->checked_ns = now;
  gw_page_check(task->page); /* takes the record locks again where the program closed the page */
  gw_daemon_check(task->page, now);
  if (gw_task_lost(task)) {
    gw_release_lost(task);
    atomic_store(&task->active, 0); /* the task's next launch joins again */
  }
}

/* The heartbeat. */
static void beat(struct gw_task *task, uint64_t now) {
  task->options.priority = GW_READ(task->row->priority);
  GW_WRITE(task->row->beat_ns, now);
  if (atomic_load(&task->row->state) == GW_IDLE) {
    reactivate(task, now);
  }
}

/* Ends a quantum that is over. When the task's quantum ends or has ended; 0: it has none. */
static uint64_t watch_quantum(struct gw_task *task, uint64_t now) {
  uint64_t end = atomic_load(&task->row->quantum_end_ns);
  if (end != 0 && now >= end) {
    end_quantum(task, now);
  }
  return end;
}

/* Launches are in flight. */
static uint64_t watch_running(struct gw_task *task, uint64_t now, uint32_t in_flight,
                              uint64_t quantum_end, uint64_t next) {
  struct gw_row *row = task->row;
  if (in_flight > atomic_load(&task->waiting) && preemptible(task) &&
      atomic_load(&row->gate) == GW_CLOSED) {
    return preempt(task, now);
  }
  bool held = GW_READ(row->waiters) != 0;
  return held && quantum_end == 0 ? now + LONGEST_TICK_NS : next;
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

/* No launch is in flight: the task becomes idle when nothing has run for linger. */
static uint64_t watch_resting(struct gw_task *task, uint64_t now, bool matters, uint64_t next) {
  uint64_t launches = atomic_load(&task->row->launches);
  uint64_t last = last_launch(task, launches, now);
  uint64_t idle_at = last + gw_settings()->linger_ns;
  if (now < idle_at) {
    return matters && idle_at < next ? idle_at : next;
  }
  if (thread_runs(task, now, last) ||
      (task->options.busy != NULL && task->options.busy(task->options.context) > 0)) {
    return next;
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
  if (!atomic_load(&task->active) || atomic_load(&task->left)) {
    return UINT64_MAX;
  }
  bool matters = (GW_READ(task->row->flags) & GW_ROW_MATTERS) != 0;
  uint64_t next = now + tick_ns(matters), quantum_end = 0;
  count_held(task, now);
  check_page(task, now);
  if (!gw_task_lost(task)) {
    beat(task, now);
    quantum_end = watch_quantum(task, now);
    next = quantum_end > now && quantum_end < next ? quantum_end : next;
  }
  uint64_t slice = gw_check_stream_hold(task, now);
  if (slice != 0) {
    return now + slice;
  }
  if (matters && !gw_task_lost(task)) {
    uint64_t spend = gw_spend(task, now);
    next = spend < next ? spend : next;
  }
  uint32_t in_flight = atomic_load(&task->in_flight);
  if (in_flight != 0) {
    return watch_running(task, now, in_flight, quantum_end, next);
  }
  next = watch_resting(task, now, matters, next);
  if (next == UINT64_MAX) {
    gw_spend_end(task, now);
  }
  return next;
}

/* Sleeps until the time is up or the gate changes. */
static void sleep_at_open_gate(struct gw_row *row, uint64_t timeout_ns) {
  uint32_t gate = atomic_load(&row->gate);
  atomic_fetch_add(&row->waiters, 1);
  gw_futex_wait(&row->gate, gate, timeout_ns, true);
  atomic_fetch_sub(&row->waiters, 1);
}

static void *watcher(void *unused) {
  (void)unused;
  pthread_setname_np(pthread_self(), "giveway");
  for (;;) {
    uint32_t word = atomic_load(&gw_wake.word);
    uint64_t next = UINT64_MAX;
    uint64_t now = gw_now();
    struct gw_row *gate = NULL;
    /* Read before the tasks: a launch that makes a task active after this wakes the watcher. */
    atomic_store(&gw_wake.asleep, true);
    pthread_mutex_lock(&gw_process.lock);
    for (struct gw_task *task = gw_process.tasks; task != NULL; task = task->next) {
      uint64_t at = watch(task, now);
      next = at < next ? at : next;
      gate = at != UINT64_MAX && preemptible(task) ? task->row : gate;
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
    if (next != UINT64_MAX && gate != NULL) {
      sleep_at_open_gate(gate, next - now);
    } else {
      gw_futex_wait(&gw_wake.word, word, next == UINT64_MAX ? UINT64_MAX : next - now, false);
    }
  }
  return NULL;
}

int gw_watcher_start(void) {
  int r = running ? GW_OK : gw_thread_start(watcher, NULL);
  running = r == GW_OK;
  return r;
}

static void forget(void) {
  running = false;
  atomic_store(&gw_wake.asleep, false);
}

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
