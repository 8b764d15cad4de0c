/* A region may sleep: its threads read a file, wait for a lock, or hang. A task all of whose
 * threads wait for something takes nobody's cores, so it counts as idle until one of them computes.
 * A whole-process gate knows no launches: its task has work while the process computes. */
#include "compute.h"

#include "activity.h"
#include "clock.h"
#include "lock.h"
#include "rule.h"
#include "wake.h"

static _Atomic(int (*)(gw_task *, uint64_t, int)) look;

void gw_on_look(int (*function)(gw_task *, uint64_t, int)) { atomic_store(&look, function); }

bool gw_stops_process(const struct gw_task *task) {
  return gw_has_flag(gw_row_of(task), GW_ROW_WHOLE);
}

/* The hook knows about the process's task alone, and only of work done by threads. */
static bool is_known(const struct gw_task *task) {
  return GW_READ(look) != NULL && task == GW_READ(gw_process.task) && task->options.busy == NULL;
}

/* Makes the task idle although launches are in flight, where gw_deactivate would refuse. The next
 * launch makes it active. */
static void doze(struct gw_task *task) {
  if (gw_page_lock(task->page) != GW_OK) {
    return;
  }
  if (atomic_load(&task->active) && !gw_task_lost(task)) {
    atomic_store(&task->active, 0);
    atomic_store(&gw_row_of(task)->quantum_end_ns, 0);
    atomic_fetch_and(&gw_row_of(task)->flags, ~(uint32_t)GW_ROW_YIELDS);
    atomic_store(&gw_row_of(task)->state, GW_IDLE);
    gw_gates_update(task->page, gw_now());
    task->dozes = true;
  }
  gw_page_unlock(task->page);
}

bool gw_look_at_active(struct gw_task *task, uint64_t now) {
  task->dozes = false;
  if (!is_known(task)) {
    return true;
  }
  bool held = GW_READ(gw_row_of(task)->gate) == GW_CLOSED;
  if (atomic_load(&look)(task, now, held) || held) {
    return true; /* a held task waits for its gate */
  }
  if (gw_stops_process(task) || atomic_load(&task->in_flight) != 0) {
    doze(task);
  }
  return !task->dozes;
}

bool gw_look_at_idle(struct gw_task *task, uint64_t now) {
  bool whole = gw_stops_process(task);
  if (!is_known(task) || !(whole || (task->dozes && atomic_load(&task->in_flight) != 0))) {
    task->dozes = false;
    return false;
  }
  if (atomic_load(&look)(task, now, false)) {
    gw_activate(task);
  }
  return true;
}

void gw_use_cores(gw_task *task, const struct gw_core_use *use) {
  _Static_assert(GW_CORES_SIZE == GW_CORE_WORDS, "the page has the same words");
  struct gw_row *row = gw_row_of(task);
  bool several = GW_READ(gw_process.task_count) > 1; /* one may wait for another: none is stopped */
  uint32_t flags = (use->launches_only || several ? (uint32_t)GW_ROW_LAUNCHES_ONLY : 0) |
                   (use->whole_process ? (uint32_t)GW_ROW_WHOLE : 0);
  uint32_t mask = GW_ROW_LAUNCHES_ONLY | GW_ROW_WHOLE;
  bool differs = GW_READ(row->width) != use->width || (GW_READ(row->flags) & mask) != flags;
  for (int i = 0; i < GW_CORE_WORDS; i++) {
    differs = differs || GW_READ(row->cores[i]) != use->cores[i];
  }
  if (!differs || gw_page_lock(task->page) != GW_OK) {
    return;
  }
  if (!gw_task_lost(task)) {
    GW_WRITE(row->width, use->width);
    atomic_fetch_and(&row->flags, ~mask);
    atomic_fetch_or(&row->flags, flags);
    for (int i = 0; i < GW_CORE_WORDS; i++) {
      GW_WRITE(row->cores[i], use->cores[i]);
    }
    gw_gates_update(task->page, gw_now());
  }
  gw_page_unlock(task->page);
  gw_wake_idle_watcher(); /* the task's process may be its work, from now on */
}

void gw_raise_width(gw_task *task, uint32_t width) {
  struct gw_row *row = gw_row_of(task);
  if (GW_READ(row->width) >= width || gw_page_lock(task->page) != GW_OK) {
    return;
  }
  if (!gw_task_lost(task) && GW_READ(row->width) != 0) {
    GW_WRITE(row->width, width);
    gw_gates_update(task->page, gw_now());
  }
  gw_page_unlock(task->page);
}
