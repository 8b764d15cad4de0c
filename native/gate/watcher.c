/* One thread for each process that has tasks. It sleeps without a time limit unless a task is
 * active; then it notices when nothing has run for linger and when a quantum is over. */
#include <signal.h>

#include "internal.h"

#define STACK_BYTES (256 * 1024)
#define LONGEST_TICK_NS (20 * GW_MS)   /* the longest between two signs of life */
#define OPERATOR_MAX_NS (1000 * GW_MS) /* an operator is believed to run for at most this long */

static _Atomic uint32_t wake_word;
static _Atomic bool asleep;
static bool running; /* under gw_process.lock */

/* A gated operator has no end that we see, but while it computes its thread uses a core, or its
 * share of one. A thread that waits uses none. */
static bool operator_runs(struct gw_task *task, uint64_t now, uint64_t last) {
  uint64_t thread = atomic_load_explicit(&task->op_thread, memory_order_relaxed);
  if (thread == 0 || thread == UINT64_MAX || now - last > OPERATOR_MAX_NS) {
    return false;
  }
  struct timespec t;
  if (clock_gettime((clockid_t)(uint32_t)(thread - 1), &t) != 0) {
    return false; /* the thread is gone */
  }
  uint64_t cpu = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  bool runs = task->seen_ns != 0 && cpu - task->seen_cpu_ns > (now - task->seen_ns) / 8;
  task->seen_ns = now;
  task->seen_cpu_ns = cpu;
  return runs;
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
  }
  return now + gw_look_after(task, now, waited);
}

/* When to look at this task again, UINT64_MAX for not before it is active. */
static uint64_t watch(struct gw_task *task, uint64_t now) {
  if (!atomic_load(&task->active) || atomic_load(&task->left)) {
    return UINT64_MAX;
  }
  uint64_t linger = gw_settings()->linger_ns;
  uint64_t tick = linger < GW_MS ? GW_MS : linger > LONGEST_TICK_NS ? LONGEST_TICK_NS : linger;
  struct gw_row *row = task->row;
  uint64_t next = now + tick, quantum_end = 0;
  if (!gw_task_lost(task)) {
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
  if (atomic_load(&task->in_flight) != 0) {
    task->seen_ns = 0;
    if (preemptible(task) && atomic_load(&row->gate) == GW_CLOSED) {
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
    operator_runs(task, now, last); /* so that the next look has something to compare with */
    return idle_at < next ? idle_at : next;
  }
  if (operator_runs(task, now, last)) {
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
    gw_sweep();
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
