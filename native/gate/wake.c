#include "wake.h"

#include "futex.h"

struct gw_wake gw_wake;

void gw_wake_idle_watcher(void) {
  if (atomic_load(&gw_wake.asleep)) {
    gw_wake_watcher();
  }
}

void gw_wake_watcher(void) {
  atomic_fetch_add(&gw_wake.word, 1);
  gw_futex_wake(&gw_wake.word, false);
}
