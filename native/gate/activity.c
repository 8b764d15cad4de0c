/* A task becomes active at its first launch, and idle when nothing has run for linger. */
#include "activity.h"

#include "clock.h"
#include "lock.h"
#include "rule.h"
#include "wake.h"

void gw_activate(struct gw_task *task) {
  if (gw_page_lock(task->page) != GW_OK) {
    return;
  }
  uint64_t now = gw_now();
  if (!atomic_load(&task->active) && !gw_task_lost(task)) {
    struct gw_row *row = gw_row_of(task);
    atomic_store(&task->last_ns, now);
    atomic_store(&row->beat_ns, now);
    atomic_store(&row->closed_ns, now); /* max_wait counts from when the task has work */
    GW_ADD(row->activations, 1);
    atomic_store(&row->state, GW_READ(row->parked) == GW_NOT_PARKED ? GW_ACTIVE : GW_IDLE);
    gw_gates_update(task->page, now);
    atomic_store(&task->active, 1);
  }
  gw_page_unlock(task->page);
  gw_wake_idle_watcher();
}

/* A launch counts itself, then reads whether the task is active; this clears `active`, then reads
 * the count. So one of the two sees the other. */
bool gw_deactivate(struct gw_task *task, uint64_t launches) {
  if (gw_page_lock(task->page) != GW_OK) {
    return false;
  }
  bool idle = false;
  if (atomic_load(&task->active)) {
    struct gw_row *row = gw_row_of(task);
    atomic_store(&task->active, 0);
    if (atomic_load(&task->in_flight) != 0 || gw_launches_of(task) != launches) {
      atomic_store(&task->active, 1);
    } else {
      idle = true;
      if (!gw_task_lost(task)) {
        atomic_store(&row->quantum_end_ns, 0);
        atomic_fetch_and(&row->flags, ~(uint32_t)GW_ROW_YIELDS); /* it comes back as new */
        atomic_store(&row->state, GW_IDLE);
        gw_gates_update(task->page, gw_now());
      }
    }
  }
  gw_page_unlock(task->page);
  return idle;
}

void gw_idle(gw_task *task) {
  if (task != NULL && atomic_load(&task->active)) {
    gw_deactivate(task, gw_launches_of(task));
  }
}

/* Should a launch come in between, its count differs from the one noted here, and the watcher takes
 * the task for one that has just launched. */
void gw_rest(gw_task *task) {
  if (task != NULL && atomic_load(&task->active)) {
    uint64_t launches = gw_launches_of(task), now = gw_now();
    atomic_store(&task->seen_launches, launches);
    atomic_store(&task->last_ns, now);
    atomic_store(&task->rest_ns, now);
    /* Stored last: a thread that reads this count then reads a time that is as new. */
    atomic_store(&task->free_launches, launches);
  }
}

void gw_work(gw_task *task) {
  uint64_t since = task != NULL && GW_READ(task->rest_ns) != 0 ? atomic_load(&task->rest_ns) : 0;
  if (since != 0 && atomic_compare_exchange_strong(&task->rest_ns, &since, 0)) {
    atomic_fetch_add(&task->rested_ns, gw_now() - since);
  }
}
