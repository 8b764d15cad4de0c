/* What happens at a closed gate. */
#include <errno.h>

#include "internal.h"

#define WAIT_SLICE_NS (15 * GW_MS) /* how often a held task looks whether those before it live */
/* An active task without a sign of life for so long is stopped, or dead and still giving its memory
 * back: the kernel drops file locks only after that, and a large process takes a while. */
#define STALLED_NS (60 * GW_MS)
#define PAUSE_SLICE_NS (50 * GW_MS)

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

static bool yields(const struct gw_task *task) {
  return (GET(task->row->flags) & GW_ROW_YIELDS) != 0;
}

static bool in_turn(const struct gw_row *row, uint64_t now) {
  return GET(row->state) == GW_ACTIVE && now < GET(row->quantum_end_ns);
}

static bool holds(const struct gw_row *row, const struct gw_task *task, uint64_t now) {
  if (GET(row->state) != GW_ACTIVE) {
    return false;
  }
  if (yields(task) && in_turn(row, now)) {
    return row != task->row;
  }
  return GET(task->page->map->header.by_daemon) ? row != task->row && GET(row->gate) == GW_OPEN
                                                : gw_row_priority(row) > gw_row_priority(task->row);
}

/* The tasks of this very process share our watcher, and we run. */
static bool stalled(const struct gw_row *row, uint64_t now) {
  if (GET(row->owner) == GET(gw_process.owner)) {
    return false;
  }
  uint64_t beat = GET(row->beat_ns);
  return now > beat && now - beat > STALLED_NS;
}

/* Those that hold this task: are there any, are they alive, and are they running? There is none
 * where somebody died in the middle of a transition, before it opened the gates, and where a turn
 * is over and who had it does not say so. */
static void check_holders(struct gw_task *task, uint64_t now) {
  struct gw_page *page = task->page;
  gw_daemon_check(page, now);
  /* A daemon may have its reasons to let nobody run. */
  bool any = GET(page->map->header.by_daemon), dead = false, stopped = false;
  bool over = yields(task);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    over = over && !in_turn(row, now);
    if (holds(row, task, now)) {
      any = true;
      dead = dead || !gw_row_alive(page, i);
      stopped = stopped || stalled(row, now);
    }
  }
  if ((any && !dead && !stopped && !over) || gw_page_lock(page) != GW_OK) {
    return;
  }
  for (uint32_t i = 0; stopped && i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (holds(row, task, now) && stalled(row, now)) {
      PUT(row->state, GW_IDLE); /* its watcher takes it back once it runs again */
    }
  }
  gw_reap_dead(page);
  gw_page_unlock(page);
}

/* Whether the task may go on. By the time it has the lock, another one's turn may have been its own
 * as well, and may even be over. */
static bool grant_quantum(struct gw_task *task, uint64_t max_wait) {
  if (gw_page_lock(task->page) != GW_OK) {
    return true; /* rather than wait for ever */
  }
  struct gw_row *row = task->row;
  uint64_t now = gw_now(), since = GET(row->closed_ns);
  bool lost = gw_task_lost(task), open = GET(row->gate) == GW_OPEN;
  bool due = !lost && !open && now > since && now - since >= max_wait;
  if (due) {
    gw_gates_turn(task->page, row, now);
  }
  gw_page_unlock(task->page);
  if (due) {
    gw_watcher_rouse();
  }
  return lost || open || due;
}

/* Its user wants it to wait until told otherwise. */
static bool paused(const struct gw_task *task) {
  return GET(task->page->map->header.by_daemon) && GET(task->row->decided) == GW_PAUSED;
}

static bool closed(const struct gw_task *task) {
  return atomic_load(&task->row->gate) == GW_CLOSED && GET(task->page->broken) == 0 &&
         !GET(task->left) && !GET(gw_process.exiting);
}

/* Once max_wait has passed, a quantum. How long the task has to wait for it, 0: it need not wait.
 */
static uint64_t wait_for_quantum(struct gw_task *task, uint64_t now) {
  uint64_t max_wait = gw_settings()->max_wait_ns, since = GET(task->row->closed_ns);
  if (max_wait == 0 || paused(task)) {
    return WAIT_SLICE_NS;
  }
  if (since > now) {
    since = now;
  }
  if (now - since >= max_wait) {
    return grant_quantum(task, max_wait) ? 0 : WAIT_SLICE_NS;
  }
  uint64_t rest = max_wait - (now - since);
  return rest < WAIT_SLICE_NS ? rest : WAIT_SLICE_NS;
}

uint64_t gw_look_after(struct gw_task *task, uint64_t now, bool waited) {
  if (waited && closed(task)) {
    int broken = gw_page_check(task->page);
    if (broken != GW_OK) {
      gw_page_distrust(task->page, broken);
    } else if (!gw_task_lost(task)) {
      check_holders(task, now);
    } else {
      return 0;
    }
  }
  return closed(task) ? wait_for_quantum(task, now) : 0;
}

/* A thread of the task has given way; the last one to do so is who counts. Only the time at which a
 * device's work was done is not known here, where that is not a thread's. */
static void give_way(struct gw_task *task, uint64_t at) {
  _Atomic uint64_t *stopped = &task->row->stopped_ns;
  uint64_t before = GET(*stopped);
  while (task->options.busy == NULL && before < at &&
         !atomic_compare_exchange_weak(stopped, &before, at)) {
  }
}

static int sleep_at_gate(struct gw_row *row, uint64_t slice) {
  atomic_fetch_add(&row->waiters, 1);
  int r = gw_futex_wait(&row->gate, GW_CLOSED, slice, true);
  atomic_fetch_sub(&row->waiters, 1);
  return r;
}

static void wait_at_gate(struct gw_task *task) {
  struct gw_row *row = task->row;
  atomic_fetch_add(&row->held, 1);
  atomic_fetch_add(&task->waiting, 1);
  /* Nothing of this thread has run since its last launch ended. */
  uint64_t closed_ns = GET(row->closed_ns), last = GET(task->last_ns);
  give_way(task, last > closed_ns ? last : closed_ns);
  uint64_t looked = gw_now();
  bool waited = false;
  for (uint64_t slice; (slice = gw_look_after(task, gw_now(), waited)) != 0;) {
    uint64_t slept = gw_now();
    int r = sleep_at_gate(row, slice);
    if ((GET(row->flags) & GW_ROW_STREAM) == 0) {
      atomic_fetch_add_explicit(&row->held_ns, gw_now() - slept, memory_order_relaxed);
    }
    if (r == EFAULT || r == EINVAL || (r == EAGAIN && GET(row->gate) > GW_CLOSED)) {
      gw_page_distrust(task->page, GW_E_MAGIC);
    }
    /* By the clock: a program with a profiler's timer signal never sleeps for a whole slice. */
    waited = r == ETIMEDOUT || gw_now() - looked >= WAIT_SLICE_NS;
    looked = waited ? gw_now() : looked;
  }
  atomic_fetch_sub(&task->waiting, 1);
}

/* In a signal handler: no lock is taken here. The watcher looks after the task meanwhile, and if it
 * does not, the pause ends all the same. */
void gw_pause_task(struct gw_task *task) {
  uint64_t max_wait = gw_settings()->max_wait_ns, start = gw_now();
  if (closed(task)) {
    give_way(task, start);
  }
  while (closed(task)) {
    if (max_wait != 0 && !paused(task) && gw_now() - start > max_wait + PAUSE_SLICE_NS) {
      break;
    }
    sleep_at_gate(task->row, PAUSE_SLICE_NS);
  }
}

bool gw_begin_held(struct gw_task *task) {
  if (GET(task->page->broken) != 0 || GET(task->left) || GET(gw_process.exiting)) {
    return false;
  }
  if (gw_task_lost(task) && gw_rejoin(task) != GW_OK) {
    return false;
  }
  if (!atomic_load(&task->active)) {
    gw_activate(task);
  }
  return true;
}

/* The task is not active, or its gate is not open. */
void gw_begin_slow(struct gw_task *task) {
  if (gw_begin_held(task) && closed(task) && gw_may_wait()) {
    wait_at_gate(task);
  }
}
