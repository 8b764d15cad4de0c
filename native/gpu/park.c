#include "park.h"

#define DEVICES 64

static struct use {
  const gw_page *page;
  const _Atomic gw_word *context;
} uses[DEVICES];
static _Atomic unsigned use_count;

static _Atomic uint32_t forbidden;

void gw_park_forbid(uint32_t why) { atomic_store(&forbidden, why); }

static uint32_t examine(uint32_t *number) {
  (void)number;
  return atomic_load(&forbidden);
}

static gw_word context_of(const gw_page *page) {
  for (unsigned i = atomic_load(&use_count); i-- > 0;) {
    if (uses[i].page == page) {
      return atomic_load(uses[i].context);
    }
  }
  return 0;
}

static uint64_t available(const gw_page *page) {
  gw_word context = context_of(page);
  if (context == 0 || !gw_driver_use_context(context)) {
    return UINT64_MAX;
  }
  struct gw_driver_memory memory = gw_driver_memory(gw_driver_current_device());
  return memory.free_known ? memory.free : UINT64_MAX;
}

void gw_park_uses(const gw_page *page, const _Atomic gw_word *context) {
  unsigned i = atomic_load(&use_count);
  if (i < DEVICES) {
    uses[i] = (struct use){page, context};
    atomic_store(&use_count, i + 1);
  }
}

/* The driver takes 0 for no limit. */
static uint32_t lock(uint32_t timeout_ms, uint32_t *number) {
  return gw_driver_checkpoint(GW_CHECKPOINT_LOCK, timeout_ms != 0 ? timeout_ms : 1, number);
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
