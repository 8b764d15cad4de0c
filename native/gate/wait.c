#include "wait.h"

#include <errno.h>

#include "clock.h"
#include "decider.h"
#include "futex.h"
#include "job.h"
#include "liveness.h"
#include "lock.h"
#include "rule.h"
#include "settings.h"
#include "wake.h"
#include "warn.h"

#define WAIT_SLICE_NS (15 * GW_MS) /* how often a held task checks that its holders are alive */
#define PAUSE_SLICE_NS (50 * GW_MS)

static bool yields(struct gw_seat seat) { return gw_has_flag(seat.row, GW_ROW_YIELDS); }

static bool is_parked(struct gw_seat seat) { return GW_READ(seat.row->parked) != GW_NOT_PARKED; }

static bool in_turn(const struct gw_row *row, uint64_t now) {
  return GW_READ(row->state) == GW_ACTIVE && now < GW_READ(row->quantum_end_ns);
}

static bool waits_for_job(const struct gw_row *row) {
  return gw_has_flag(row, GW_ROW_JOB_HELD) && GW_READ(row->gate) == GW_CLOSED;
}

static bool shares(const struct gw_row *row) { return gw_has_flag(row, GW_ROW_SHARES); }

/* Whether the row's task holds that of the seat. */
static bool holds(const struct gw_row *row, const struct gw_page *page, struct gw_seat seat,
                  uint64_t now) {
  if (GW_READ(row->state) != GW_ACTIVE) {
    return false;
  }
  if (yields(seat) && in_turn(row, now)) {
    return row != seat.row;
  }
  return GW_READ(page->map->header.by_daemon)
             ? row != seat.row && GW_READ(row->gate) == GW_OPEN
             : !waits_for_job(row) && !shares(row) &&
                   gw_row_priority(row) > gw_row_priority(seat.row);
}

/* Excludes the tasks of this process: they share a watcher with the calling thread, which runs. */
static bool stalled(const struct gw_row *row, const struct gw_page *page, uint64_t now) {
  int64_t age = (int64_t)(now - GW_READ(row->beat_ns)); /* below 0: a heartbeat after `now` */
  return !gw_row_is_ours(page, row) && (age > GW_STALLED_NS || age < -GW_STALLED_NS);
}

/* Stall guard: checks that the tasks that hold this one exist, are alive, and run. No task holds it
 * where a process died in a transition before it opened the gates, or where a turn is over and the
 * task that had it does not end it. */
static void check_holders(struct gw_page *page, struct gw_seat seat, uint64_t now) {
  gw_daemon_check(page, now);
  /* A daemon may hold every task, a job its members, and a parked process its own. */
  bool any = GW_READ(page->map->header.by_daemon) || waits_for_job(seat.row) || is_parked(seat);
  bool dead = false, stopped = false;
  bool over = yields(seat);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    over = over && !in_turn(row, now);
    if (holds(row, page, seat, now)) {
      any = true;
      dead = dead || !gw_row_alive(page, i);
      stopped = stopped || stalled(row, page, now);
    }
  }
  if ((any && !dead && !stopped && !over) || gw_page_lock(page) != GW_OK) {
    return;
  }
  for (uint32_t i = 0; stopped && i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (holds(row, page, seat, now) && stalled(row, page, now)) {
      GW_WRITE(row->state, GW_IDLE); /* its watcher makes it active again once the process runs */
    }
  }
  gw_reap_dead(page);
  gw_page_unlock(page);
}

/* Grants a turn that is due, and returns whether the task may go on. By the time this thread has
 * the lock, the task may have shared another task's turn, and that turn may even be over. */
static bool grant_quantum(const struct gw_task *task, struct gw_seat seat, uint64_t max_wait) {
  struct gw_page *page = task->page;
  if (gw_page_lock(page) != GW_OK) {
    return true; /* rather than wait without a bound */
  }
  struct gw_row *row = seat.row;
  uint64_t now = gw_now(), since = GW_READ(row->closed_ns);
  bool lost = gw_seat_lost(seat), open = GW_READ(row->gate) == GW_OPEN;
  bool due = !lost && !open && now > since && now - since >= max_wait;
  if (due) {
    gw_gates_turn(page, row, now);
  }
  gw_page_unlock(page);
  if (due) {
    gw_wake_watcher();
    gw_job_turn(task->member);
  }
  return lost || open || due;
}

/* The user wants the task to wait until told otherwise, or the task is parked. */
static bool paused(const struct gw_page *page, struct gw_seat seat) {
  return is_parked(seat) ||
         (GW_READ(page->map->header.by_daemon) && GW_READ(seat.row->decided) == GW_PAUSED);
}

bool gw_is_held(const struct gw_task *task, struct gw_seat seat) {
  return atomic_load(&seat.row->gate) == GW_CLOSED && !gw_seat_lost(seat) &&
         GW_READ(task->page->broken) == 0 && !GW_READ(task->left) && !GW_READ(gw_process.exiting) &&
         !gw_job_is_behind(task->member, gw_now());
}

/* Grants a turn once max_wait has passed. Returns how long the task still waits for that; 0: the
 * task may go on. */
static uint64_t time_to_quantum(const struct gw_task *task, struct gw_seat seat, uint64_t now) {
  uint64_t max_wait = gw_settings()->max_wait_ns, since = GW_READ(seat.row->closed_ns);
  if (max_wait == 0 || paused(task->page, seat)) {
    return WAIT_SLICE_NS;
  }
  if (since > now) {
    since = now;
  }
  if (now - since >= max_wait) {
    return grant_quantum(task, seat, max_wait) ? 0 : WAIT_SLICE_NS;
  }
  uint64_t rest = max_wait - (now - since);
  return rest < WAIT_SLICE_NS ? rest : WAIT_SLICE_NS;
}

uint64_t gw_check_hold(struct gw_task *task, struct gw_seat seat, uint64_t now, bool waited) {
  int broken =
      waited ? gw_page_check(task->page) : GW_OK; /* a system call: not at the first look */
  if (broken != GW_OK) {
    gw_page_distrust(task->page, broken);
  } else if (gw_is_held(task, seat)) {
    check_holders(task->page, seat, now);
  }
  return gw_is_held(task, seat) ? time_to_quantum(task, seat, now) : 0;
}

/* A thread of the task has stopped; the time of the last one counts. Where a device and not a
 * thread does the work, this function does not know when the work was done. */
static void record_stop(const struct gw_task *task, struct gw_seat seat, uint64_t at) {
  _Atomic uint64_t *stopped = &seat.row->stopped_ns;
  uint64_t before = GW_READ(*stopped);
  while (task->options.busy == NULL && before < at &&
         !atomic_compare_exchange_weak(stopped, &before, at)) {
  }
}

int gw_sleep_at_gate(struct gw_seat seat, uint32_t gate, uint64_t timeout_ns) {
  GW_ADD(seat.row->waiters, 1);
  int r = gw_futex_wait(&seat.row->gate, gate, timeout_ns, true);
  if (!gw_seat_lost(seat)) {
    GW_ADD(seat.row->waiters, (uint32_t)-1);
  }
  return r;
}

void gw_wait_at_gate(struct gw_task *task) {
  struct gw_seat seat = gw_seat_of(task);
  struct gw_row *row = seat.row;
  atomic_fetch_add(&row->held, 1);
  atomic_fetch_add(&task->waiting, 1);
  /* Nothing of this thread has run since its last launch ended. */
  uint64_t closed_ns = GW_READ(row->closed_ns), last = GW_READ(task->last_ns);
  record_stop(task, seat, last > closed_ns ? last : closed_ns);
  uint64_t looked = gw_now();
  bool waited = false;
  for (uint64_t slice; (slice = gw_check_hold(task, seat, gw_now(), waited)) != 0;) {
    uint64_t slept = gw_now();
    int r = gw_sleep_at_gate(seat, GW_CLOSED, slice);
    if (!gw_has_flag(row, GW_ROW_STREAM)) {
      GW_ADD(row->held_ns, gw_now() - slept);
    }
    if (r == EFAULT || r == EINVAL || (r == EAGAIN && GW_READ(row->gate) > GW_NARROW)) {
      gw_page_distrust(task->page, GW_E_MAGIC);
    }
    /* By the clock: a program with a profiler's timer signal never sleeps for a whole slice. */
    waited = r == ETIMEDOUT || gw_now() - looked >= WAIT_SLICE_NS;
    looked = waited ? gw_now() : looked;
  }
  atomic_fetch_sub(&task->waiting, 1);
}

/* Runs in a signal handler, so it takes no lock. The watcher checks the hold meanwhile. Without a
 * watcher the pause ends all the same. */
void gw_pause_task(struct gw_task *task) {
  uint64_t max_wait = gw_settings()->max_wait_ns, start = gw_now();
  struct gw_seat seat = gw_seat_of(task);
  if (gw_is_held(task, seat)) {
    record_stop(task, seat, start);
  }
  while (gw_is_held(task, seat)) {
    if (max_wait != 0 && !paused(task->page, seat) &&
        gw_now() - start > max_wait + PAUSE_SLICE_NS) {
      break;
    }
    gw_sleep_at_gate(seat, GW_CLOSED, PAUSE_SLICE_NS);
  }
}
