/* Idle to active at the first launch; active to idle when nothing has run for linger. */
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

void gw_activate(struct gw_task *task) {
  if (gw_page_lock(task->page) != GW_OK) {
    return;
  }
  uint64_t now = gw_now();
  if (!atomic_load(&task->active) && !gw_task_lost(task)) {
    struct gw_row *row = task->row;
    atomic_store(&task->last_ns, now);
    atomic_store(&row->beat_ns, now);
    atomic_store(&row->closed_ns, now); /* max_wait counts from when it has work */
    atomic_fetch_add_explicit(&row->activations, 1, memory_order_relaxed);
    atomic_store(&row->state, GW_ACTIVE);
    gw_gates_update(task->page, now);
    atomic_store(&task->active, 1);
  }
  gw_page_unlock(task->page);
  gw_watcher_wake();
}

/* Idle, unless there are more launches by now: a launch first counts itself and then looks
 * whether the task is active, this takes the activity away and then looks at the count. One of them
 * sees. */
bool gw_deactivate(struct gw_task *task, uint64_t launches) {
  if (gw_page_lock(task->page) != GW_OK) {
    return false;
  }
  bool idle = false;
  if (atomic_load(&task->active)) {
    atomic_store(&task->active, 0);
    if (atomic_load(&task->in_flight) != 0 || atomic_load(&task->row->launches) != launches) {
      atomic_store(&task->active, 1);
    } else {
      idle = true;
      if (!gw_task_lost(task)) {
        atomic_store(&task->row->quantum_end_ns, 0);
        atomic_fetch_and(&task->row->flags, ~(uint32_t)GW_ROW_YIELDS); /* it comes back as new */
        atomic_store(&task->row->state, GW_IDLE);
        gw_gates_update(task->page, gw_now());
      }
    }
  }
  gw_page_unlock(task->page);
  return idle;
}

void gw_idle(gw_task *task) {
  if (task != NULL && atomic_load(&task->active)) {
    gw_deactivate(task, atomic_load(&task->row->launches));
  }
}

void gw_begin(gw_task *task) {
  if (task == NULL) {
    return;
  }
  atomic_fetch_add(&task->in_flight, 1);
  atomic_fetch_add(&task->row->launches, 1);
  if (GW_LIKELY(atomic_load_explicit(&task->active, memory_order_relaxed) &&
                atomic_load_explicit(&task->row->gate, memory_order_relaxed) == GW_OPEN)) {
    return;
  }
  gw_begin_slow(task);
}

/* Of the kernel; asked once a thread, and again by the one that a fork leaves. */
static int thread_id(void) {
  static _Thread_local int id;
  static _Thread_local uint64_t process;
  uint64_t owner = atomic_load_explicit(&gw_process.owner, memory_order_relaxed);
  if (id == 0 || process != owner) {
    id = (int)syscall(SYS_gettid);
    process = owner;
  }
  return id;
}

void gw_end(gw_task *task) {
  if (task == NULL) {
    return;
  }
  atomic_store_explicit(&task->last_thread, thread_id(), memory_order_relaxed);
  atomic_store_explicit(&task->last_ns, gw_now(), memory_order_relaxed);
  atomic_fetch_sub(&task->in_flight, 1);
}

void gw_admit(gw_task *task) {
  if (task == NULL) {
    return;
  }
  atomic_fetch_add(&task->row->launches, 1);
  if (GW_LIKELY(atomic_load_explicit(&task->active, memory_order_relaxed) &&
                atomic_load_explicit(&task->row->gate, memory_order_relaxed) == GW_OPEN)) {
    return;
  }
  /* Counted while it waits: a task whose launch is held is not idle. */
  atomic_fetch_add(&task->in_flight, 1);
  gw_begin_slow(task);
  atomic_fetch_sub(&task->in_flight, 1);
}

void gw_admit_held(gw_task *task) {
  if (task == NULL) {
    return;
  }
  atomic_fetch_add(&task->row->launches, 1);
  atomic_fetch_add(&task->row->held, 1);
  if (GW_LIKELY(atomic_load(&task->active))) {
    return;
  }
  atomic_fetch_add(&task->in_flight, 1);
  if (gw_begin_held(task) && !atomic_load(&task->active)) {
    gw_begin_slow(task); /* nobody would look after it while its device holds it */
  }
  atomic_fetch_sub(&task->in_flight, 1);
}

int gw_outranked(const gw_task *task) {
  return task != NULL && atomic_load_explicit(&task->row->outranked, memory_order_relaxed) != 0;
}

int gw_alone(const gw_task *task) {
  return task == NULL || atomic_load_explicit(&task->page->broken, memory_order_relaxed) != 0 ||
         atomic_load_explicit(&task->page->map->header.joined, memory_order_relaxed) <= 1;
}

void gw_operator(gw_task *task) {
  if (task == NULL) {
    return;
  }
  atomic_store_explicit(&task->last_thread, -thread_id(), memory_order_relaxed);
  atomic_store_explicit(&task->last_ns, gw_now(), memory_order_relaxed);
  atomic_fetch_add_explicit(&task->row->operators, 1, memory_order_relaxed);
  atomic_fetch_add(&task->row->launches, 1);
  if (GW_LIKELY(atomic_load_explicit(&task->active, memory_order_relaxed) &&
                atomic_load_explicit(&task->row->gate, memory_order_relaxed) == GW_OPEN)) {
    return;
  }
  atomic_fetch_add(&task->in_flight, 1);
  gw_begin_slow(task);
  atomic_store_explicit(&task->last_ns, gw_now(), memory_order_relaxed); /* it runs from now on */
  atomic_fetch_sub(&task->in_flight, 1);
}
