#include "wake.h"

#include "futex.h"

struct gw_wake gw_wake;

static _Thread_local enum { AT_ONCE, LATER, DUE } wakes;

void gw_wake_idle_watcher(void) {
  if (!atomic_load(&gw_wake.asleep)) {
    return;
  }
  if (wakes == AT_ONCE) {
    gw_wake_watcher();
  } else {
    wakes = DUE;
  }
}

void gw_wake_put_off(void) { wakes = LATER; }
bool gw_wake_due(void) { return wakes == DUE; }

void gw_wake_put_off_end(void) {
  bool due = wakes == DUE;
  wakes = AT_ONCE;
  if (due) {
    gw_wake_watcher();
  }
}

void gw_wake_watcher(void) {
  atomic_fetch_add(&gw_wake.word, 1);
  gw_futex_wake(&gw_wake.word, false);
}
