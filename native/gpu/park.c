#include "park.h"

#include "device.h"
#include "driver.h"
#include "giveway_hook.h"

static uint32_t examine(uint32_t *number) {
  (void)number;
  return GW_PARK_OK;
}

/* On the one device that the process uses; a process with several is not counted. */
static uint64_t available(void) {
  struct gw_device *device = atomic_load(&gw_only_device);
  gw_word context = device != NULL ? atomic_load(&device->context) : 0;
  return context != 0 ? gw_driver_memory_free(context) : UINT64_MAX;
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
