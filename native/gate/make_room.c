/* A task's allocation has failed for lack of device memory: less urgent tasks are parked, the least
 * urgent first, if their users allow it. Each parks itself; this task waits, for a limited time. */
#include <signal.h>
#include <stdio.h>

#include "clock.h"
#include "futex.h"
#include "grace.h"
#include "kernel_state.h"
#include "liveness.h"
#include "lock.h"
#include "park_request.h"
#include "settings.h"

#define LOOK_NS (50 * GW_MS) /* how often it looks whether the other task is alive */
/* While a task moves its memory, an allocation waits for it: in all so many times as long as for
 * one that has not begun. */
#define MOVING 30

static bool was_asked(const struct gw_room_search *search, uint32_t row) {
  return (search->asked[row / 64] >> row % 64 & 1) != 0;
}

static bool can_be_asked(const gw_page *page, const struct gw_row *row, struct gw_seat own) {
  const uint32_t both = GW_ROW_CAN_PARK | GW_ROW_PARKABLE;
  return GW_READ(row->state) != GW_FREE && (GW_READ(row->flags) & both) == both &&
         GW_READ(row->parked) != GW_PARKED && !gw_row_is_ours(page, row) &&
         gw_row_priority(row) < gw_row_priority(own.row);
}

/* Of two tasks of one priority, the one with more memory. */
static bool before(const struct gw_row *a, const struct gw_row *b) {
  int32_t of_a = gw_row_priority(a), of_b = gw_row_priority(b);
  return of_a != of_b ? of_a < of_b : GW_READ(a->memory) > GW_READ(b->memory);
}

/* Under the page's lock: the row of the next task to ask; NULL: none is left. */
static struct gw_row *choose(gw_page *page, struct gw_seat own, struct gw_room_search *search) {
  struct gw_row *rows = page->map->rows, *best = NULL;
  gw_reap_dead(page);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    if (can_be_asked(page, &rows[i], own) && !was_asked(search, i) &&
        (best == NULL || before(&rows[i], best))) {
      best = &rows[i];
    }
  }
  if (best != NULL) {
    size_t at = (size_t)(best - rows);
    search->asked[at / 64] |= UINT64_C(1) << at % 64;
  }
  return best;
}

/* Whether the process is stopped, by a signal or a debugger. Of a process in another PID namespace
 * nobody here can tell. */
static bool is_stopped(struct gw_seat other, struct gw_seat own) {
  if (GW_READ(other.row->pid_namespace) != GW_READ(own.row->pid_namespace)) {
    return false;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%u/stat", GW_READ(other.row->pid));
  char state = gw_kernel_state(path);
  return state == 'T' || state == 't';
}

static bool moves(uint32_t parked) { return parked == GW_PARK_SAVES || parked == GW_PARK_RESTORES; }

/* A program may handle the signal that tells it to end when its allocation has returned. No handler
 * runs under the lock: it might fork, for which the lock must be free. */
static void watch_signals(void) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_mutex_lock(&gw_process.lock);
  gw_grace_watch();
  pthread_mutex_unlock(&gw_process.lock);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* True: the task has parked itself, or has left. False: it has not, or this program is to end. */
static bool await(gw_page *page, struct gw_seat other, struct gw_seat own) {
  uint64_t start = gw_now(), moved = start, most = gw_settings()->park_room_ns;
  for (uint64_t now = start; now - moved < most && now - start < MOVING * most; now = gw_now()) {
    uint32_t parked = GW_READ(other.row->parked);
    if (moves(parked) && !is_stopped(other, own)) {
      moved = now;
    }
    if (parked == GW_PARKED || gw_seat_lost(other)) {
      return true;
    }
    if ((GW_READ(other.row->park_request) & 1) == 0) { /* refused, or a user wants it back */
      return false;
    }
    if (gw_grace_is_on()) {
      break;
    }
    gw_futex_wait(&other.row->parked, parked, LOOK_NS, true);
    if (!gw_row_alive(page, (uint32_t)(other.row - page->map->rows))) {
      return true;
    }
  }
  gw_park_withdraw(page, other.ticket, own.ticket);
  return false;
}

/* The row counts its searches: threads may search at once. A row that the task takes meanwhile
 * counts this one anew. */
static void begin(struct gw_seat own, struct gw_room_search *search) {
  if (search->ticket != own.ticket) {
    search->ticket = own.ticket;
    atomic_fetch_add(&own.row->needs_memory, 1);
  }
}

int gw_make_room(gw_task *task, struct gw_room_search *search) {
  struct gw_seat own = task != NULL ? gw_seat_of(task) : (struct gw_seat){NULL, 0};
  if (task == NULL || GW_READ(task->page->broken) != 0 || GW_READ(task->left)) {
    return 0;
  }
  watch_signals();
  while (!gw_grace_is_on() && gw_page_lock(task->page) == GW_OK) {
    struct gw_row *row = gw_seat_lost(own) ? NULL : choose(task->page, own, search);
    struct gw_seat other = {row, row != NULL ? GW_READ(row->ticket) : 0};
    if (row != NULL) {
      begin(own, search);
    }
    gw_page_unlock(task->page);
    if (row == NULL) {
      return 0;
    }
    if (gw_park(task->page, other.ticket, own.ticket) != GW_OK || await(task->page, other, own)) {
      return 1;
    }
  }
  return 0;
}

/* Without the page's lock: another process may have it for long. */
void gw_make_room_end(gw_task *task, struct gw_room_search *search) {
  struct gw_seat own = gw_seat_of(task);
  if (search->ticket == own.ticket && !gw_seat_lost(own)) {
    atomic_fetch_sub(&own.row->needs_memory, 1);
  }
  search->ticket = 0;
}
