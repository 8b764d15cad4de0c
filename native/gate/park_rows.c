#include "park_rows.h"

#include "clock.h"
#include "futex.h"
#include "lock.h"
#include "rule.h"

static bool gates_due; /* some rows say more than their gates: a page's lock was not free */

bool gw_park_wants(const struct gw_task *task) { return (task->park_request & 1) != 0; }

struct gw_park_requests gw_park_read_requests(void) {
  struct gw_park_requests all = {.found = false};
  pthread_mutex_lock(&gw_process.lock);
  bool is_parked = atomic_load(&gw_process.parked) != GW_NOT_PARKED;
  GW_EACH_OWN(task) {
    const struct gw_row *row = gw_row_of(task);
    if (!task->options.is_thread) {
      task->park_request = atomic_load(&row->park_request);
      task->park_asked = gw_park_wants(task) || (is_parked && task->park_asked);
      all.found = true;
      all.wanted = all.wanted || gw_park_wants(task);
      all.in_job = all.in_job || task->member != NULL;
      all.memory += GW_READ(row->memory);
    }
  }
  pthread_mutex_unlock(&gw_process.lock);
  return all;
}

/* Adds one to the number that was read: what the row asked for is over. */
static bool end_request(struct gw_task *task) {
  uint32_t seen = task->park_request;
  bool same = atomic_compare_exchange_strong(&gw_row_of(task)->park_request, &seen, seen + 1);
  task->park_request += same ? 1 : 0;
  return same;
}

bool gw_park_end_requests(void) {
  bool all = true;
  pthread_mutex_lock(&gw_process.lock);
  GW_EACH_OWN(task) {
    if (!task->options.is_thread && gw_park_wants(task)) {
      all = end_request(task) && all;
    }
  }
  pthread_mutex_unlock(&gw_process.lock);
  return all;
}

/* Observers take the error for an answer once the number agrees with the state, which is therefore
 * written after the error and before the number. */
static void write_words(struct gw_task *task, uint32_t state, const struct gw_refusal *result) {
  struct gw_row *row = gw_row_of(task);
  if (result != NULL) {
    bool on_device = result->error == GW_PARK_NO_ROOM;
    atomic_store(&row->park_room, on_device ? task->page->parked.room : result->room);
    atomic_store(&row->park_number, result->number);
    atomic_store(&row->park_error, result->error);
  }
  atomic_store(&row->parked, state);
  if (result != NULL && result->error != GW_PARK_OK && task->park_asked &&
      gw_park_wants(task) != (state == GW_PARKED)) {
    end_request(task);
  }
  if (state == GW_NOT_PARKED) {
    task->park_asked = false;
    task->park_gone_ns = 0;
  }
}

/* Under the page's lock: opens or closes the gate of the task. */
static void update_gate(struct gw_task *task) {
  bool works = atomic_load(&gw_process.parked) == GW_NOT_PARKED && atomic_load(&task->active) != 0;
  atomic_store(&gw_row_of(task)->state, works ? GW_ACTIVE : GW_IDLE);
  gw_gates_update(task->page, gw_now());
}

/* While a stopped process has the page's lock, only the words are written: the next transition of
 * any task updates the gate, or gw_park_update_gates does. An open gate does no harm meanwhile: the
 * driver lets launches wait. */
void gw_park_show(uint32_t state, const struct gw_refusal *result) {
  pthread_mutex_lock(&gw_process.lock);
  atomic_store(&gw_process.parked, state);
  gates_due = false;
  GW_EACH_OWN(task) {
    bool locked = gw_page_lock_patiently(task->page) == GW_OK;
    write_words(task, state, result);
    if (locked) {
      update_gate(task);
      gw_page_unlock(task->page);
    }
    gates_due = gates_due || !locked;
    gw_futex_wake(&gw_row_of(task)->parked, true);
  }
  pthread_mutex_unlock(&gw_process.lock);
  gw_futex_wake(&gw_process.parked, false);
}

bool gw_park_update_gates(void) {
  if (!gates_due) {
    return false;
  }
  pthread_mutex_lock(&gw_process.lock);
  gates_due = false;
  GW_EACH_OWN(task) {
    if (gw_page_lock(task->page) == GW_OK) {
      update_gate(task);
      gw_page_unlock(task->page);
    } else if (GW_READ(task->page->broken) == 0) {
      gates_due = true;
    }
  }
  pthread_mutex_unlock(&gw_process.lock);
  return gates_due;
}

static void forget(void) { gates_due = false; }

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
