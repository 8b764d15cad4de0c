#include "region.h"

#include "interrupt.h"
#include "spinning.h"
#include "use.h"

_Thread_local unsigned gw_region_depth;

gw_task *gw_region_begin(const struct runtime *runtime) {
  if (gw_region_depth++ != 0 || gw_computing) {
    return NULL;
  }
  /* A worker of an admitted region must not wait, or that region would never end. */
  if (runtime->get_level != NULL && runtime->get_level() > 0) {
    return NULL;
  }
  gw_task *task = gw_current(GW_CPU_DEVICE);
  gw_adapt_spinning(runtime->spin_count, task);
  gw_begin(task);
  return task;
}

void gw_region_end(gw_task *task) {
  gw_region_depth--;
  gw_end(task);
}

gw_task *gw_region_begin_unstoppable(const struct runtime *runtime) {
  gw_task *task = gw_region_begin(runtime);
  if (task != NULL) {
    atomic_store(&gw_unstoppable_seen, true);
    gw_team_begin(task, GW_ANY_TEAM);
  }
  return task;
}

void gw_region_end_unstoppable(gw_task *task) {
  if (task != NULL) {
    gw_team_end(GW_ANY_TEAM);
  }
  gw_region_end(task);
}

/* No I/O here: this only makes gw_hooked return 1. */
__attribute__((constructor)) static void say_hooked(void) { gw_set_hooked(GW_CPU_DEVICE, NULL); }
