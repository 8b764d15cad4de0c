/* The thread that parks its process. It sleeps until the page has a request. */
#include "park.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "futex.h"
#include "host_memory.h"
#include "liveness.h"
#include "lock.h"
#include "park_calls.h"
#include "rule.h"
#include "settings.h"
#include "thread.h"

/* How often a parked process looks whether it may come back. */
#define LOOK_NS (200 * GW_MS)
/* How often it looks whether a thread is still in the driver. */
#define INSIDE_NS (1 * GW_MS)
/* The driver has freed the memory of a process so long after its end. */
#define SETTLE_NS (1000 * GW_MS)
/* The driver needs a little more host memory than the memory that it moves. */
#define RESERVE(bytes) ((bytes) / 16)

/* What the process knew when it was parked; under `parking`. */
static struct {
  struct gw_page *page; /* on which the request was; NULL: not parked */
  uint64_t since_ns;
  uint64_t gone_ns;   /* when the task that needed the memory was first seen to be gone */
  uint64_t available; /* device memory then; UINT64_MAX: unknown */
  uint64_t others;    /* what other tasks of the page had */
  bool failed;        /* the driver could not restore the process: only a user tries again */
  bool gates_due;     /* some rows say more than their gates: a page's lock was not free */
} parked;
static pthread_mutex_t parking = PTHREAD_MUTEX_INITIALIZER;

struct refusal {
  uint32_t error, number;
  uint64_t room;
};

struct request {
  bool found, wanted;
  bool in_job;
  uint64_t for_ticket;
  uint64_t memory; /* of the process on this page */
};

/* Under gw_process.lock. */
#define EACH_OWN(task, of)                                                                         \
  for (struct gw_task *task = gw_process.tasks; task != NULL; task = task->next)                   \
    if (((of) == NULL || task->page == (of)) && !gw_task_lost(task) && !GW_READ(task->left))

static struct request read_request(struct gw_page *page) {
  struct request request = {.found = false};
  pthread_mutex_lock(&gw_process.lock);
  EACH_OWN(task, page) {
    const struct gw_row *row = gw_row_of(task);
    if (!task->options.is_thread) {
      request.found = true;
      request.wanted = request.wanted || GW_READ(row->park_wanted) != 0;
      request.for_ticket = GW_READ(row->park_for);
      request.memory = GW_READ(row->memory);
      request.in_job = task->member != NULL;
    }
  }
  pthread_mutex_unlock(&gw_process.lock);
  return request;
}

static void write_words(struct gw_row *row, uint32_t state, const struct refusal *refusal) {
  atomic_store(&row->parked, state);
  if (refusal != NULL) {
    atomic_store(&row->park_room, refusal->room);
    atomic_store(&row->park_number, refusal->number);
    atomic_store(&row->park_error, refusal->error);
  }
  if (state == GW_NOT_PARKED) {
    atomic_store(&row->park_wanted, 0);
    atomic_store(&row->park_for, 0);
  } else if (state == GW_PARKED && refusal->error != GW_PARK_OK) {
    atomic_store(&row->park_wanted, 1); /* it stays parked */
  }
}

/* Under the page's lock: opens or closes the gate of the task. */
static void update_gate(struct gw_task *task) {
  bool works = atomic_load(&gw_process.parked) == GW_NOT_PARKED && atomic_load(&task->active) != 0;
  atomic_store(&gw_row_of(task)->state, works ? GW_ACTIVE : GW_IDLE);
  gw_gates_update(task->page, gw_now());
}

/* Writes in every row of the process how far parking has come, and opens or closes the gates. While
 * a stopped process has the page's lock, only the words are written: the next transition of any
 * task updates the gate, or update_gates does. An open gate does no harm meanwhile: the driver lets
 * launches wait. */
static void show(uint32_t state, const struct refusal *refusal) {
  pthread_mutex_lock(&gw_process.lock);
  atomic_store(&gw_process.parked, state);
  parked.gates_due = false;
  EACH_OWN(task, (struct gw_page *)NULL) {
    bool locked = gw_page_lock_patiently(task->page) == GW_OK;
    write_words(gw_row_of(task), state, refusal);
    if (locked) {
      update_gate(task);
      gw_page_unlock(task->page);
    }
    parked.gates_due = parked.gates_due || !locked;
    gw_futex_wake(&gw_row_of(task)->parked, true);
  }
  pthread_mutex_unlock(&gw_process.lock);
  gw_futex_wake(&gw_process.parked, false);
}

/* What show could not do for lack of a page's lock. */
static void update_gates(void) {
  pthread_mutex_lock(&gw_process.lock);
  parked.gates_due = false;
  EACH_OWN(task, (struct gw_page *)NULL) {
    if (gw_page_lock(task->page) == GW_OK) {
      update_gate(task);
      gw_page_unlock(task->page);
    } else if (GW_READ(task->page->broken) == 0) {
      parked.gates_due = true;
    }
  }
  pthread_mutex_unlock(&gw_process.lock);
}

static uint64_t memory_of_others(struct gw_page *page) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    const struct gw_row *row = &page->map->rows[i];
    if (GW_READ(row->state) != GW_FREE && GW_READ(row->parked) != GW_PARKED &&
        GW_READ(page->ours[i]) == 0 && gw_row_alive(page, i)) {
      bytes += GW_READ(row->memory);
    }
  }
  return bytes;
}

static const struct gw_row *find(const struct gw_page *page, uint64_t ticket) {
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    if (GW_READ(page->map->rows[i].ticket) == ticket && gw_row_alive(page, i)) {
      return &page->map->rows[i];
    }
  }
  return NULL;
}

/* ---- park ------------------------------------------------------------------------------------ */

/* Whether the process has tasks on another device: its memory there would move as well, and no look
 * at one page tells whether that fits. */
static bool uses_another_device(const struct gw_page *page) {
  bool another = false;
  pthread_mutex_lock(&gw_process.lock);
  EACH_OWN(task, (struct gw_page *)NULL) {
    another = another || (task->page != page && !task->options.is_thread &&
                          strcmp(task->page->device, "cpu") != 0);
  }
  pthread_mutex_unlock(&gw_process.lock);
  return another;
}

static struct refusal examine(const struct gw_page *page, const struct request *request) {
  if (request->in_job) {
    return (struct refusal){.error = GW_PARK_JOB};
  }
  if (uses_another_device(page)) {
    return (struct refusal){.error = GW_PARK_DEVICES};
  }
  struct refusal refusal = {.error = GW_PARK_OK};
  refusal.error = gw_parker()->examine(&refusal.number);
  uint64_t room = gw_host_memory();
  if (refusal.error == GW_PARK_OK && request->memory + RESERVE(request->memory) > room) {
    refusal = (struct refusal){.error = GW_PARK_NO_HOST_MEMORY, .room = room};
  }
  return refusal;
}

/* Nobody waits in the driver any more: the work has ended. */
static bool await_threads(void) {
  for (uint64_t start = gw_now(); atomic_load(&gw_process.inside) != 0;) {
    if (gw_now() - start > gw_settings()->park_wait_ns) {
      return false;
    }
    gw_futex_wait(&gw_process.parked, GW_PARK_DRAINS, INSIDE_NS, false);
  }
  return true;
}

/* Under the driver's lock on the process. */
static struct refusal save(struct gw_page *page) {
  struct refusal refusal = {.error = GW_PARK_OK};
  if (!await_threads()) {
    refusal.error = GW_PARK_BUSY;
  } else if (!read_request(page).wanted) {
    refusal.error = GW_PARK_WITHDRAWN;
  } else {
    show(GW_PARK_SAVES, NULL);
    refusal.error = gw_parker()->save(&refusal.number);
  }
  return refusal;
}

static struct refusal try_to_park(struct gw_page *page, const struct request *request) {
  const struct gw_parker *parker = gw_parker();
  struct refusal refusal = examine(page, request);
  if (refusal.error != GW_PARK_OK) {
    return refusal;
  }
  parked.available = parker->available();
  parked.others = memory_of_others(page);
  show(GW_PARK_DRAINS, NULL);
  refusal.error =
      parker->lock((uint32_t)(gw_settings()->park_wait_ns / (uint64_t)GW_MS), &refusal.number);
  if (refusal.error == GW_PARK_OK) {
    refusal = save(page);
    uint32_t unused;
    if (refusal.error != GW_PARK_OK) {
      parker->unlock(&unused);
    }
  }
  return refusal;
}

static void park(struct gw_page *page, const struct request *request) {
  struct refusal refusal = try_to_park(page, request);
  if (refusal.error != GW_PARK_OK) {
    show(GW_NOT_PARKED, &refusal);
    return;
  }
  parked.page = page;
  parked.failed = false;
  parked.since_ns = gw_now();
  parked.gone_ns = 0;
  show(GW_PARKED, &refusal);
}

/* ---- unpark ---------------------------------------------------------------------------------- */

/* A restore without room fails for good, so that a look comes first: what was free when the process
 * was parked, less what the other tasks have taken since. */
static bool fits(uint64_t *room) {
  uint64_t now = memory_of_others(parked.page),
           taken = now > parked.others ? now - parked.others : 0;
  uint64_t own = read_request(parked.page).memory;
  *room = UINT64_MAX;
  if (parked.available == UINT64_MAX || own == 0) {
    return true;
  }
  uint64_t there = own + parked.available;
  *room = there > taken ? there - taken : 0;
  return own <= *room;
}

/* Says so before it looks: of two processes that look at once, each counts the other. */
static void unpark(void) {
  struct refusal refusal = {.error = GW_PARK_OK};
  show(GW_PARK_RESTORES, NULL);
  if (!fits(&refusal.room)) {
    refusal.error = GW_PARK_NO_ROOM;
    show(GW_PARKED, &refusal);
    return;
  }
  refusal.error = gw_parker()->restore(&refusal.number);
  if (refusal.error == GW_PARK_OK) {
    refusal.error = gw_parker()->unlock(&refusal.number);
  }
  if (refusal.error != GW_PARK_OK) {
    parked.failed = true;
    show(GW_PARKED, &refusal);
    return;
  }
  parked.page = NULL;
  show(GW_NOT_PARKED, &refusal);
}

/* Whether the process is to come back: a user asks for it, nobody can ask any more because the page
 * has gone, or the process was parked for another task, which has ended or given memory back. */
static bool may_return(const struct request *request, uint64_t now) {
  uint64_t room;
  if (request->found && !request->wanted) {
    return true;
  }
  if (parked.failed) {
    return false;
  }
  if (!request->found || gw_page_check(parked.page) != GW_OK) {
    return fits(&room);
  }
  if (request->for_ticket == 0 || now - parked.since_ns < gw_settings()->park_least_ns) {
    return false;
  }
  const struct gw_row *other = find(parked.page, request->for_ticket);
  if (other != NULL) {
    return !GW_READ(other->needs_memory) && parked.available != UINT64_MAX && fits(&room);
  }
  parked.gone_ns = parked.gone_ns != 0 ? parked.gone_ns : now;
  return now - parked.gone_ns >= SETTLE_NS && fits(&room);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Returns how long to sleep at most. */
static uint64_t serve(struct gw_page *page) {
  pthread_mutex_lock(&parking);
  struct request request = read_request(page);
  if (request.found && request.wanted && parked.page == NULL) {
    park(page, &request);
  } else if (parked.page == page && may_return(&request, gw_now())) {
    unpark();
  }
  if (parked.gates_due) {
    update_gates();
  }
  bool looks = parked.page == page || parked.gates_due;
  pthread_mutex_unlock(&parking);
  return looks ? LOOK_NS : UINT64_MAX;
}

static void *take_requests(void *argument) {
  struct gw_page *page = argument;
  _Atomic uint32_t *requests = &page->map->header.park_requests;
  for (int error = 0; error != EFAULT && error != EINVAL;) {
    uint32_t seen = atomic_load(requests);
    uint64_t sleep = serve(page);
    error = gw_futex_wait(requests, seen, sleep, true);
  }
  return NULL;
}

void gw_park_serve(struct gw_page *page) {
  if (gw_parker() != NULL && !page->serves_requests) {
    page->serves_requests = gw_thread_start(take_requests, page) == 0;
  }
}

static void forget(void) {
  pthread_mutex_init(&parking, NULL);
  parked.page = NULL;
  parked.gates_due = false;
}

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
