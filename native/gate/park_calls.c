/* While a process is parked, its threads stay out of the driver.
 *
 * Launches wait at the closed gate. Other calls that may wait for the device are counted while they
 * are in the driver. A thread counts itself and then looks whether the process is parked; parking
 * says so first and then looks at the count. So one of the two sees the other. The driver itself
 * lets most calls wait while it has checkpointed a process, but not those that synchronise. */
#include "park_calls.h"

#include <stdlib.h>
#include <string.h>

#include "futex.h"

static _Atomic(const struct gw_parker *) parker;

void gw_on_park(const struct gw_parker *hook) { atomic_store(&parker, hook); }

const struct gw_parker *gw_parker(void) { return atomic_load(&parker); }

uint32_t gw_park_flags(const struct gw_task *task) {
  if (task->options.is_thread || gw_parker() == NULL) {
    return 0;
  }
  const char *allowed = getenv("GIVEWAY_PARKABLE");
  bool parkable = allowed != NULL && strcmp(allowed, "1") == 0;
  return GW_ROW_CAN_PARK | (parkable ? GW_ROW_PARKABLE : 0u);
}

void gw_park_fill(struct gw_row *row) {
  atomic_store(&row->parked, atomic_load(&gw_process.parked));
  atomic_store(&row->park_request, 0);
  atomic_store(&row->park_error, 0);
  atomic_store(&row->park_number, 0);
  atomic_store(&row->park_for, 0);
  atomic_store(&row->park_room, 0);
  atomic_store(&row->needs_memory, 0);
}

/* Calls of the thread that count: not those that began before the hook has registered. */
static _Thread_local uint32_t counted;

int gw_call_try(void) {
  if (gw_parker() == NULL) {
    return 1;
  }
  atomic_fetch_add(&gw_process.inside, 1);
  if (GW_LIKELY(atomic_load(&gw_process.parked) == GW_NOT_PARKED)) {
    counted++;
    return 1;
  }
  atomic_fetch_sub(&gw_process.inside, 1);
  return 0;
}

void gw_call_end(void) {
  if (counted != 0) {
    counted--;
    atomic_fetch_sub(&gw_process.inside, 1);
  }
}

void gw_call_wait(void) {
  for (uint32_t parked; (parked = atomic_load(&gw_process.parked)) != GW_NOT_PARKED;) {
    gw_futex_wait(&gw_process.parked, parked, UINT64_MAX, false);
  }
}

void gw_call_begin(void) {
  while (!gw_call_try()) {
    gw_call_wait();
  }
}
