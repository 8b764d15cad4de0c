#include "park.h"

#include <stdatomic.h>

#include "giveway_hook.h"

static _Atomic unsigned devices;
static _Atomic gw_word context; /* of the last one; 0: unknown */

static _Atomic uint32_t forbidden;

void gw_park_forbid(uint32_t why) { atomic_store(&forbidden, why); }

static uint32_t examine(uint32_t *number) {
  (void)number;
  return atomic_load(&forbidden);
}

/* On the one device that the process uses; unknown where it uses several. */
static uint64_t available(void) {
  gw_word known = atomic_load(&devices) == 1 ? atomic_load(&context) : 0;
  if (known == 0 || !gw_driver_use_context(known)) {
    return UINT64_MAX;
  }
  struct gw_driver_memory memory = gw_driver_memory(gw_driver_current_device());
  return memory.free_known ? memory.free : UINT64_MAX;
}

void gw_park_uses(gw_word current) {
  atomic_store(&context, current);
  atomic_fetch_add(&devices, 1);
}

static uint32_t lock(uint32_t timeout_ms, uint32_t *number) {
  return gw_driver_checkpoint(GW_CHECKPOINT_LOCK, timeout_ms, number);
}

static uint32_t save(uint32_t *number) {
  return gw_driver_checkpoint(GW_CHECKPOINT_SAVE, 0, number);
}

static uint32_t restore(uint32_t *number) {
  return gw_driver_checkpoint(GW_CHECKPOINT_RESTORE, 0, number);
}

static uint32_t unlock(uint32_t *number) {
  return gw_driver_checkpoint(GW_CHECKPOINT_UNLOCK, 0, number);
}

static const struct gw_parker parker = {
    .examine = examine,
    .available = available,
    .lock = lock,
    .save = save,
    .restore = restore,
    .unlock = unlock,
};

void gw_park_prepare(void) {
  if (gw_driver_can_checkpoint()) {
    gw_on_park(&parker);
  }
}
