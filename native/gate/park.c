/* The threads that park their process: one for each page, which sleeps until the page has a
 * request. */
#include "park.h"

#include <errno.h>

#include "clock.h"
#include "futex.h"
#include "host_memory.h"
#include "liveness.h"
#include "park_calls.h"
#include "park_room.h"
#include "park_rows.h"
#include "settings.h"
#include "thread.h"

/* How often a parked process looks whether it may come back. */
#define LOOK_NS (200 * GW_MS)
/* How often it looks whether a thread is still in the driver. */
#define INSIDE_NS (1 * GW_MS)
/* How long a thread whose work has ended takes to leave the driver. */
#define LATE_NS (100 * GW_MS)
/* The driver has freed the memory of a process so long after its end. */
#define SETTLE_NS (1000 * GW_MS)
/* The driver needs a little more host memory than the memory that it moves. */
#define RESERVE(bytes) ((bytes) / 16)

/* One thread at a time, in all of this file. */
static pthread_mutex_t parking = PTHREAD_MUTEX_INITIALIZER;
static uint64_t parked_ns;
static bool failed; /* the driver could not restore the process: only a user tries again */

static bool is_parked(void) { return atomic_load(&gw_process.parked) == GW_PARKED; }

/* ---- park ------------------------------------------------------------------------------------ */

static struct gw_refusal examine(const struct gw_park_requests *requests) {
  struct gw_refusal result = {.error = GW_PARK_JOB};
  if (requests->in_job) {
    return result;
  }
  result.error = gw_parker()->examine(&result.number);
  uint64_t room = gw_host_memory();
  if (result.error == GW_PARK_OK && requests->memory + RESERVE(requests->memory) > room) {
    result = (struct gw_refusal){.error = GW_PARK_NO_HOST_MEMORY, .room = room};
  }
  return result;
}

/* Waits until no thread is in a call of the driver that counts. */
static bool await_threads(uint64_t most) {
  for (uint64_t start = gw_now(); atomic_load(&gw_process.inside) != 0;) {
    if (gw_now() - start > most) {
      return false;
    }
    gw_futex_wait(&gw_process.parked, GW_PARK_DRAINS, INSIDE_NS, false);
  }
  return true;
}

/* Locks the driver when all work has ended, so that no thread waits for work any more. A thread
 * that was counted and reaches the driver only now waits for the lock instead. It goes on while the
 * lock is given back for a moment; further threads stay out. */
static uint32_t lock_driver(uint32_t *number) {
  const struct gw_parker *parker = gw_parker();
  uint64_t most = gw_settings()->park_wait_ns;
  for (;;) {
    uint32_t unused, error = parker->lock((uint32_t)(most / (uint64_t)GW_MS), number);
    if (error != GW_PARK_OK || await_threads(most < LATE_NS ? most : LATE_NS)) {
      return error;
    }
    parker->unlock(&unused);
    if (!await_threads(most)) {
      return GW_PARK_BUSY;
    }
  }
}

/* Under the driver's lock on the process. Before it, the program went on: it may have got more
 * memory, or some that cannot be moved, and may have used a device for the first time. What is free
 * there cannot be asked for under the lock. */
static struct gw_refusal save(void) {
  struct gw_park_requests requests = gw_park_read_requests();
  struct gw_refusal result = examine(&requests);
  if (!requests.wanted) {
    result.error = GW_PARK_WITHDRAWN;
  } else if (result.error == GW_PARK_OK && !gw_park_knows_room()) {
    result.error = GW_PARK_ROOM_UNKNOWN;
  } else if (result.error == GW_PARK_OK) {
    gw_park_show(GW_PARK_SAVES, NULL);
    result.error = gw_parker()->save(&result.number);
  }
  return result;
}

static struct gw_refusal try_to_park(const struct gw_park_requests *requests) {
  const struct gw_parker *parker = gw_parker();
  struct gw_refusal result = examine(requests);
  if (result.error != GW_PARK_OK) {
    return result;
  }
  gw_park_note_room();
  if (!gw_park_knows_room()) {
    return (struct gw_refusal){.error = GW_PARK_ROOM_UNKNOWN};
  }
  gw_park_show(GW_PARK_DRAINS, NULL);
  result.error = lock_driver(&result.number);
  if (result.error == GW_PARK_OK) {
    result = save();
    uint32_t unused;
    if (result.error != GW_PARK_OK) {
      parker->unlock(&unused);
    }
  }
  return result;
}

static void park(const struct gw_park_requests *requests) {
  struct gw_refusal result = try_to_park(requests);
  if (result.error == GW_PARK_ROOM_UNKNOWN) { /* the new device is known now */
    result = try_to_park(requests);
  }
  parked_ns = gw_now();
  failed = false;
  gw_park_show(result.error == GW_PARK_OK ? GW_PARKED : GW_NOT_PARKED, &result);
}

/* ---- unpark ---------------------------------------------------------------------------------- */

/* Says so before it looks: of two processes that look at once, each counts the other. */
static void unpark(void) {
  struct gw_refusal result = {.error = GW_PARK_OK};
  gw_park_show(GW_PARK_RESTORES, NULL);
  if (!gw_park_fits()) {
    result.error = GW_PARK_NO_ROOM;
  } else {
    result.error = gw_parker()->restore(&result.number);
    if (result.error == GW_PARK_OK) {
      result.error = gw_parker()->unlock(&result.number);
    }
    failed = result.error != GW_PARK_OK;
  }
  gw_park_show(result.error == GW_PARK_OK ? GW_NOT_PARKED : GW_PARKED, &result);
}

static const struct gw_row *find(const struct gw_page *page, uint64_t ticket) {
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    if (GW_READ(page->map->rows[i].ticket) == ticket && gw_row_alive(page, i)) {
      return &page->map->rows[i];
    }
  }
  return NULL;
}

/* Whether nothing keeps the process parked for the sake of this row: nobody can ask any more
 * because the page has gone, or the process was parked for another task, which has ended or needs
 * no memory now. */
static bool reason_has_gone(struct gw_task *task, uint64_t now) {
  if (gw_page_check(task->page) != GW_OK) {
    return true;
  }
  uint64_t ticket = GW_READ(gw_row_of(task)->park_for);
  if (ticket == 0 || now - parked_ns < gw_settings()->park_least_ns) {
    return false;
  }
  const struct gw_row *other = find(task->page, ticket);
  if (other != NULL) {
    task->park_gone_ns = 0;
    return GW_READ(other->needs_memory) == 0 && task->page->parked.available != UINT64_MAX;
  }
  task->park_gone_ns = task->park_gone_ns != 0 ? task->park_gone_ns : now;
  return now - task->park_gone_ns >= SETTLE_NS;
}

static bool all_reasons_have_gone(uint64_t now) {
  bool all = true;
  pthread_mutex_lock(&gw_process.lock);
  GW_EACH_OWN(task) {
    if (!task->options.is_thread && gw_park_wants(task)) {
      all = reason_has_gone(task, now) && all;
    }
  }
  pthread_mutex_unlock(&gw_process.lock);
  return all;
}

/* The requests end before the process comes back: one that arrives meanwhile is a new one. */
static bool may_return(const struct gw_park_requests *requests) {
  if (requests->found && !requests->wanted) {
    return true;
  }
  return !failed && all_reasons_have_gone(gw_now()) && gw_park_fits() && gw_park_end_requests();
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Returns how long to sleep at most. */
static uint64_t serve(void) {
  pthread_mutex_lock(&parking);
  struct gw_park_requests requests = gw_park_read_requests();
  if (is_parked() && may_return(&requests)) {
    unpark();
  } else if (!is_parked() && requests.wanted) {
    park(&requests);
  }
  bool looks = gw_park_update_gates() || is_parked();
  pthread_mutex_unlock(&parking);
  return looks ? LOOK_NS : UINT64_MAX;
}

static void *take_requests(void *argument) {
  struct gw_page *page = argument;
  _Atomic uint32_t *requests = &page->map->header.park_requests;
  for (int error = 0; error != EFAULT && error != EINVAL;) {
    uint32_t seen = atomic_load(requests);
    uint64_t sleep = serve();
    error = gw_futex_wait(requests, seen, sleep, true);
  }
  return NULL;
}

void gw_park_serve(struct gw_page *page) {
  if (gw_parker() != NULL && !page->serves_requests) {
    page->serves_requests = gw_thread_start(take_requests, page) == 0;
  }
}

static void forget(void) { pthread_mutex_init(&parking, NULL); }

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
