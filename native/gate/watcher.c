/* One thread for each process that has tasks. It sleeps without a time limit unless a task is
 * active; then it notices when nothing has run for linger and when a quantum is over. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define STACK_BYTES (256 * 1024)
#define LONGEST_TICK_NS (20 * GW_MS)   /* the longest between two signs of life */
#define TAIL_MAX_NS (20 * GW_MS)       /* what a program does after its last region, at most */
#define OPERATOR_MAX_NS (1000 * GW_MS) /* an operator is believed to run for at most this long */

static _Atomic uint32_t wake_word;
static _Atomic bool asleep;
static bool running; /* under gw_process.lock */

/* Whether the thread that launched last still has work: an operator has no end that we see, and a
 * program between two regions may be kept from its core by others. The kernel tells a thread that
 * runs or waits for a core from one that waits for something to do. */
static bool thread_runs(const struct gw_task *task, uint64_t now, uint64_t last) {
  int thread = atomic_load_explicit(&task->last_thread, memory_order_relaxed);
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

/* Was taken for dead or stopped, and is neither. */
static void take_back(struct gw_task *task, uint64_t now) {
  if (gw_page_lock(task->page) == GW_OK) {
    if (!gw_task_lost(task) && atomic_load(&task->active)) {
      atomic_store(&task->row->state, GW_ACTIVE);
      gw_gates_update(task->page, now);
    }
    gw_page_unlock(task->page);
  }
}

static bool preemptible(const struct gw_task *task) {
  return !task->options.is_thread && task->options.busy == NULL &&
         atomic_load_explicit(&gw_preempt, memory_order_relaxed) != NULL &&
         atomic_load_explicit(&gw_process.task_count, memory_order_relaxed) == 1;
}

/* Stops what runs although the gate has closed, once for each closing, and then does for it what a
 * held launch does for itself. When to look again. */
static uint64_t preempt(struct gw_task *task, uint64_t now) {
  uint64_t closed_ns = atomic_load(&task->row->closed_ns);
  bool waited = task->preempted_ns == closed_ns;
  if (!waited) {
    task->preempted_ns = closed_ns;
    atomic_load (&gw_preempt)();
    atomic_fetch_add(&task->row->held, 1);
    task->held_since_ns = now;
  }
  return now + gw_look_after(task, now, waited);
}

/* The time of what was stopped; a launch that waits at the gate counts its own. */
static void count_held(struct gw_task *task, uint64_t now) {
  if (task->held_since_ns != 0) {
    atomic_fetch_add_explicit(&task->row->held_ns, now - task->held_since_ns, memory_order_relaxed);
    task->held_since_ns = atomic_load(&task->row->gate) == GW_CLOSED ? now : 0;
  }
}

/* When to look at this task again, UINT64_MAX for not before it is active. */
static uint64_t watch(struct gw_task *task, uint64_t now) {
  if (!atomic_load(&task->active) || atomic_load(&task->left)) {
    return UINT64_MAX;
  }
  struct gw_row *row = task->row;
  uint64_t linger = gw_settings()->linger_ns;
  /* Each look takes a core from a thread that computes: seldom where nobody waits for it. */
  bool matters = (atomic_load_explicit(&row->flags, memory_order_relaxed) & GW_ROW_MATTERS) != 0;
  uint64_t tick = linger < GW_MS ? GW_MS : linger > LONGEST_TICK_NS ? LONGEST_TICK_NS : linger;
  tick = matters ? tick : LONGEST_TICK_NS;
  count_held(task, now);
  uint64_t next = now + tick, quantum_end = 0;
  if (now - task->checked_ns > LONGEST_TICK_NS) {
    task->checked_ns = now;
    gw_page_check(task->page); /* takes our locks again where the program closed our descriptor */
    gw_daemon_check(task->page, now);
    if (gw_task_lost(task)) {
      gw_lost_on_device(task);
      atomic_store(&task->active, 0); /* so that its next launch joins again */
    }
  }
  if (!gw_task_lost(task)) {
    task->options.priority = atomic_load_explicit(&row->priority, memory_order_relaxed);
    atomic_store_explicit(&row->beat_ns, now, memory_order_relaxed);
    if (atomic_load(&row->state) == GW_IDLE) {
      take_back(task, now);
    }
    quantum_end = atomic_load(&row->quantum_end_ns);
    if (quantum_end != 0 && now >= quantum_end) {
      end_quantum(task, now);
    } else if (quantum_end != 0 && quantum_end < next) {
      next = quantum_end;
    }
  }
  uint64_t slice = gw_look_after_device(task, now);
  if (slice != 0) {
    return now + slice;
  }
  uint32_t in_flight = atomic_load(&task->in_flight);
  if (in_flight != 0) {
    if (in_flight > atomic_load(&task->waiting) && preemptible(task) &&
        atomic_load(&row->gate) == GW_CLOSED) {
      return preempt(task, now);
    }
    bool held = atomic_load_explicit(&row->waiters, memory_order_relaxed) != 0;
    return held && quantum_end == 0 ? now + LONGEST_TICK_NS : next;
  }
  uint64_t launches = atomic_load(&row->launches), last = atomic_load(&task->last_ns);
  if (launches != task->seen_launches) { /* gw_admit leaves no time behind, to be cheap */
    task->seen_launches = launches;
    if (task->options.busy != NULL) {
      last = now;
      atomic_store(&task->last_ns, now);
    }
  }
  uint64_t idle_at = last + linger;
  if (now < idle_at) {
    return matters && idle_at < next ? idle_at : next;
  }
  if (thread_runs(task, now, last)) {
    return next;
  }
  if (task->options.busy != NULL && task->options.busy(task->options.context) > 0) {
    return next;
  }
  return gw_deactivate(task, launches) ? UINT64_MAX : next;
}

/* Until the time is up or the gate changes; what a closed one needs, preempt has said. */
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
    uint32_t word = atomic_load(&wake_word);
    uint64_t next = UINT64_MAX;
    uint64_t now = gw_now();
    struct gw_row *gate = NULL;
    /* Before the tasks are looked at: whoever activates one later wakes us. */
    atomic_store(&asleep, true);
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
      atomic_store(&asleep, false);
    }
    now = gw_now();
    if (next <= now) {
      continue;
    }
    if (next != UINT64_MAX && gate != NULL) {
      sleep_at_open_gate(gate, next - now);
    } else {
      gw_futex_wait(&wake_word, word, next == UINT64_MAX ? UINT64_MAX : next - now, false);
    }
  }
  return NULL;
}

/* Only a watcher without a time limit needs to be woken: otherwise it looks within linger. */
void gw_watcher_wake(void) {
  if (atomic_load(&asleep)) {
    gw_watcher_rouse();
  }
}

void gw_watcher_rouse(void) {
  atomic_fetch_add(&wake_word, 1);
  gw_futex_wake(&wake_word, false);
}

/* Under gw_process.lock. The program's signals are for its own threads, but a fault of ours is
 * ours: a SIGBUS that is blocked would end the program. */
int gw_watcher_start(void) {
  if (running) {
    return GW_OK;
  }
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_t thread;
  int r = pthread_create(&thread, &attributes, watcher, NULL);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  running = r == 0;
  return running ? GW_OK : gw_fail(GW_E_RESOURCES, r);
}

void gw_watcher_forget(void) {
  running = false;
  atomic_store(&asleep, false);
}
