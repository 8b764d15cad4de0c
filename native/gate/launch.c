/* Where a launch is admitted.
 *
 * Fast: the launch counts itself, finds its task active and the gate open, and goes on (`passes`).
 * Slow: a task that has lost its row takes another, an idle one becomes active, and at a closed
 * gate the launch waits (`admit_slowly`). Anything that is wrong lets it go on. */
#include <sys/syscall.h>
#include <unistd.h>

#include "activity.h"
#include "clock.h"
#include "gil.h"
#include "inside.h"
#include "job.h"
#include "state.h"
#include "task.h"
#include "wait.h"

/* Counts the launch first, then checks that the task is active. gw_deactivate works in the opposite
 * order, so that at least one of the two sees the other. */
static inline bool passes(struct gw_task *task) {
  struct gw_row *row = gw_row_of(task);
  atomic_fetch_add(&row->launches, 1);
  return GW_LIKELY(atomic_load(&task->active) && atomic_load(&row->gate) == GW_OPEN);
}

/* False: the task runs ungated. Where the page's lock is not free in time, the task stays idle. */
static bool make_active(struct gw_task *task) {
  if (GW_READ(task->page->broken) != 0 || GW_READ(task->left) || GW_READ(gw_process.exiting)) {
    return false;
  }
  if (gw_task_lost(task)) {
    if (gw_now() < GW_READ(task->again_ns) || gw_rejoin(task) != GW_OK) {
      return false;
    }
    gw_job_renew(task);
  }
  if (!atomic_load(&task->active)) {
    gw_activate(task);
  }
  return true;
}

static void admit_slowly(struct gw_task *task) {
  if (make_active(task) && gw_is_held(task, gw_seat_of(task)) && gw_may_wait()) {
    gw_wait_at_gate(task);
  }
}

/* The launch counts as in flight while it waits, because a task with a held launch is not idle. A
 * separate function, so that the fast path of gw_admit saves no register. */
static __attribute__((noinline)) void admit_asynchronous(struct gw_task *task) {
  atomic_fetch_add(&task->in_flight, 1);
  admit_slowly(task);
  atomic_fetch_sub(&task->in_flight, 1);
}

/* ---- a launch with a begin and an end ----------------------------------------------------- */

void gw_begin(gw_task *task) {
  if (task == NULL) {
    return;
  }
  gw_inside_begin(task);
  atomic_fetch_add(&task->in_flight, 1);
  if (!passes(task)) {
    admit_slowly(task);
  }
}

/* The kernel's number of the calling thread: asked once in a thread, and again after a fork. */
static int thread_id(void) {
  static _Thread_local int id;
  static _Thread_local uint32_t asked_after;
  uint32_t forks = GW_READ(gw_process.forks);
  if (id == 0 || asked_after != forks) {
    id = (int)syscall(SYS_gettid);
    asked_after = forks;
  }
  return id;
}

void gw_end(gw_task *task) {
  if (task == NULL) {
    return;
  }
  GW_WRITE(task->last_thread, thread_id());
  GW_WRITE(task->last_ns, gw_now());
  atomic_fetch_sub(&task->in_flight, 1);
  gw_inside_end(task);
}

/* ---- an asynchronous launch --------------------------------------------------------------- */

void gw_admit(gw_task *task) {
  if (task != NULL && !passes(task)) {
    admit_asynchronous(task);
  }
}

void gw_admit_held(gw_task *task) {
  if (task == NULL) {
    return;
  }
  struct gw_row *row = gw_row_of(task);
  atomic_fetch_add(&row->launches, 1);
  atomic_fetch_add(&row->held, 1);
  if (GW_LIKELY(atomic_load(&task->active))) {
    return;
  }
  atomic_fetch_add(&task->in_flight, 1);
  if (make_active(task) && !atomic_load(&task->active)) {
    admit_slowly(task); /* a device may hold only active tasks: a watcher checks their hold */
  }
  atomic_fetch_sub(&task->in_flight, 1);
}

/* Counts the launch a second time: the watcher may have found the device free since the first. */
void gw_resume(gw_task *task) {
  if (task == NULL) {
    return;
  }
  atomic_fetch_add(&task->late, 1);
  if (!atomic_load(&task->active)) {
    atomic_fetch_add(&task->in_flight, 1);
    make_active(task);
    atomic_fetch_sub(&task->in_flight, 1);
  }
}

/* ---- a single-threaded operator ----------------------------------------------------------- */

void gw_operator(gw_task *task) {
  if (task == NULL) {
    return;
  }
  GW_WRITE(task->last_thread, -thread_id());
  GW_WRITE(task->last_ns, gw_now());
  GW_ADD(gw_row_of(task)->operators, 1);
  if (!passes(task)) {
    atomic_fetch_add(&task->in_flight, 1);
    admit_slowly(task);
    GW_WRITE(task->last_ns, gw_now()); /* the operator runs from now on */
    atomic_fetch_sub(&task->in_flight, 1);
  }
}

/* ---- queries by which hooks choose one of these -------------------------------------------- */

int gw_outranked(const gw_task *task) {
  return task != NULL && GW_READ(gw_row_of(task)->outranked) != 0;
}

int gw_alone(const gw_task *task) {
  return task == NULL || GW_READ(task->page->broken) != 0 ||
         GW_READ(task->page->map->header.joined) <= 1;
}
