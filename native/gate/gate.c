/* The rule of the gates, and what a launch does at a closed one. */
#include <errno.h>

#include "internal.h"

#define WAIT_SLICE_NS                                                                              \
  (15 * GW_MS) /* how often a held launch looks whether those before it live                       \
                */
/* An active task without a sign of life for so long is stopped, or dead and still giving its memory
 * back: the kernel drops file locks only after that, and a large process takes a while. */
#define STALLED_NS (60 * GW_MS)

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* Strict priority: a gate is closed where a task with work has a higher priority. */
void gw_gates_update(struct gw_page *page, uint64_t now) {
  struct gw_row *rows = page->map->rows;
  uint32_t used = gw_rows_used(page);
  int32_t top = INT32_MIN, top_joined = INT32_MIN;
  for (uint32_t i = 0; i < used; i++) {
    uint32_t state = GET(rows[i].state);
    int32_t priority = GET(rows[i].priority);
    if (state == GW_ACTIVE && priority > top) {
      top = priority;
    }
    if (state != GW_FREE && priority > top_joined) {
      top_joined = priority;
    }
  }
  for (uint32_t i = 0; i < used; i++) {
    struct gw_row *row = &rows[i];
    uint32_t state = GET(row->state);
    if (state == GW_FREE) {
      continue;
    }
    uint32_t outranked = GET(row->priority) < top_joined;
    if (outranked != GET(row->outranked)) {
      PUT(row->outranked, outranked); /* a needless write would cost its launches a cache miss */
    }
    uint32_t gate =
        GET(row->priority) < top && now >= GET(row->quantum_end_ns) ? GW_CLOSED : GW_OPEN;
    if (gate == GET(row->gate)) {
      continue;
    }
    if (gate == GW_CLOSED) {
      PUT(row->closed_ns, now);
      if (state == GW_ACTIVE) {
        PUT(row->preemptions, GET(row->preemptions) + 1);
      }
      atomic_store(&row->gate, GW_CLOSED);
    } else {
      /* Sequentially consistent with the waiter's: it counts itself, then looks at the gate. */
      atomic_store(&row->gate, GW_OPEN);
      if (atomic_load(&row->waiters) != 0) {
        gw_futex_wake(&row->gate, true);
      }
    }
  }
  atomic_fetch_add(&page->map->header.events, 1);
}

void gw_row_free(struct gw_row *row) {
  PUT(row->state, GW_FREE);
  PUT(row->ticket, 0);
  PUT(row->owner, 0);
  PUT(row->waiters, 0);
  atomic_store(&row->gate, GW_OPEN);
}

int gw_reap_dead(struct gw_page *page) {
  int reaped = 0;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (GET(row->state) != GW_FREE && !gw_row_alive(page, i)) {
      gw_row_free(row);
      reaped++;
    }
  }
  gw_gates_update(page, gw_now());
  return reaped;
}

static bool stalled(const struct gw_row *row, uint64_t now) {
  uint64_t beat = GET(row->beat_ns);
  return now > beat && now - beat > STALLED_NS;
}

/* Those that hold this task: are there any, are they alive, and are they running? There is none
 * where somebody died in the middle of a transition, before it opened the gates. */
static void check_holders(struct gw_task *task, uint64_t now) {
  struct gw_page *page = task->page;
  int32_t priority = GET(task->row->priority);
  bool any = false, dead = false, stopped = false;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (GET(row->state) == GW_ACTIVE && GET(row->priority) > priority) {
      any = true;
      dead = dead || !gw_row_alive(page, i);
      stopped = stopped || stalled(row, now);
    }
  }
  if ((any && !dead && !stopped) || gw_page_lock(page) != GW_OK) {
    return;
  }
  for (uint32_t i = 0; stopped && i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (GET(row->state) == GW_ACTIVE && GET(row->priority) > priority && stalled(row, now)) {
      PUT(row->state, GW_IDLE); /* its watcher takes it back once it runs again */
    }
  }
  gw_reap_dead(page);
  gw_page_unlock(page);
}

static void grant_quantum(struct gw_task *task, uint64_t now) {
  if (gw_page_lock(task->page) != GW_OK) {
    return;
  }
  if (!gw_task_lost(task)) {
    PUT(task->row->quantum_end_ns, now + gw_settings()->quantum_ns);
    gw_gates_update(task->page, now);
  }
  gw_page_unlock(task->page);
  gw_watcher_wake();
}

static bool closed(const struct gw_task *task) {
  return atomic_load(&task->row->gate) != GW_OPEN && GET(task->page->broken) == 0 &&
         !GET(task->left) && !GET(gw_process.exiting);
}

static void wait_at_gate(struct gw_task *task) {
  struct gw_row *row = task->row;
  uint64_t max_wait = gw_settings()->max_wait_ns;
  uint64_t counted = gw_now();
  atomic_fetch_add(&row->held, 1);
  while (closed(task)) {
    uint64_t now = gw_now();
    uint64_t slice = WAIT_SLICE_NS;
    if (max_wait != 0) {
      uint64_t since = GET(row->closed_ns);
      if (since > now) {
        since = now;
      }
      if (now - since >= max_wait) {
        grant_quantum(task, now);
        if (closed(task)) {
          break; /* the page's lock cannot be had: go on rather than wait for ever */
        }
        continue;
      }
      if (max_wait - (now - since) < slice) {
        slice = max_wait - (now - since);
      }
    }
    atomic_fetch_add(&row->waiters, 1);
    int r = gw_futex_wait(&row->gate, GW_CLOSED, slice, true);
    atomic_fetch_sub(&row->waiters, 1);
    uint64_t woke = gw_now();
    atomic_fetch_add_explicit(&row->held_ns, woke - counted, memory_order_relaxed);
    counted = woke;
    if (r == EFAULT || r == EINVAL || (r == EAGAIN && GET(row->gate) > GW_CLOSED)) {
      gw_page_distrust(task->page, GW_E_MAGIC);
      break;
    }
    if (r == ETIMEDOUT) {
      int broken = gw_page_check(task->page);
      if (broken != GW_OK) {
        gw_page_distrust(task->page, broken);
        break;
      }
      if (gw_task_lost(task)) {
        break;
      }
      check_holders(task, woke);
    }
  }
}

/* The task is not active, or its gate is not open. */
void gw_begin_slow(struct gw_task *task) {
  if (GET(task->page->broken) != 0 || GET(task->left) || GET(gw_process.exiting)) {
    return;
  }
  if (gw_task_lost(task) && gw_rejoin(task) != GW_OK) {
    return;
  }
  if (!atomic_load(&task->active)) {
    gw_activate(task);
  }
  if (closed(task) && gw_may_wait()) {
    wait_at_gate(task);
  }
}

int gw_set_priority(gw_page *page, uint64_t ticket, int priority) {
  if (priority < GW_PRIORITY_MIN || priority > GW_PRIORITY_MAX) {
    return gw_fail(GW_E_ARGUMENT, 0);
  }
  int r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    return r;
  }
  r = gw_fail(GW_E_NO_TASK, 0);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (GET(row->state) != GW_FREE && GET(row->ticket) == ticket) {
      PUT(row->priority, priority);
      gw_gates_update(page, gw_now());
      r = GW_OK;
      break;
    }
  }
  gw_page_unlock(page);
  return r;
}
