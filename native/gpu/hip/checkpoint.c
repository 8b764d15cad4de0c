/* AMD's driver has no checkpoint calls for programs. */
#include "driver.h"
#include "giveway_hook.h"

bool gw_driver_can_checkpoint(void) { return false; }

uint32_t gw_driver_checkpoint(enum gw_checkpoint_step step, uint32_t timeout_ms, uint32_t *number) {
  (void)step, (void)timeout_ms, (void)number;
  return GW_PARK_UNSUPPORTED;
}
