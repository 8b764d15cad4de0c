/* The driver's checkpoint of its own process: cuda.h of CUDA 12.8, drivers from 570. */
#include <stdint.h>
#include <unistd.h>

#include "driver.h"
#include "giveway_hook.h"
#include "ids.h"
#include "load/resolve.h"

#define REAL(name) ((int (*)())gw_slots[GW_ID_##name])
#define FIRST_VERSION 12080

enum {
  NOT_READY = 600,
  OPERATING_SYSTEM = 304,
  NOT_PERMITTED = 800,
  NOT_SUPPORTED = 801,
};

struct arguments { /* of the lock; the other calls take NULL */
  uint32_t timeout_ms;
  uint32_t reserved0;
  uint64_t reserved1[7];
};

bool gw_driver_can_checkpoint(void) {
  int version = 0;
  return REAL(cuDriverGetVersion)(&version) == 0 && version >= FIRST_VERSION &&
         gw_symbol(gw_library(), "cuCheckpointProcessLock") != NULL;
}

static int call(enum gw_checkpoint_step step, uint32_t timeout_ms) {
  struct arguments lock = {.timeout_ms = timeout_ms};
  int pid = getpid();
  switch (step) {
  case GW_CHECKPOINT_LOCK:
    return REAL(cuCheckpointProcessLock)(pid, &lock);
  case GW_CHECKPOINT_SAVE:
    return REAL(cuCheckpointProcessCheckpoint)(pid, NULL);
  case GW_CHECKPOINT_RESTORE:
    return REAL(cuCheckpointProcessRestore)(pid, NULL);
  default:
    return REAL(cuCheckpointProcessUnlock)(pid, NULL);
  }
}

uint32_t gw_driver_checkpoint(enum gw_checkpoint_step step, uint32_t timeout_ms, uint32_t *number) {
  int result = call(step, timeout_ms);
  *number = (uint32_t)result;
  switch (result) {
  case 0:
    return GW_PARK_OK;
  case NOT_READY:
    return GW_PARK_BUSY;
  case NOT_PERMITTED:
  case OPERATING_SYSTEM:
    return GW_PARK_FORBIDDEN;
  case NOT_SUPPORTED:
    return GW_PARK_UNSUPPORTED;
  default:
    return GW_PARK_DRIVER;
  }
}
