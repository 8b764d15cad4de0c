/* Where an urgent program keeps only some of the cores busy, the regions of the others go on, on
 * the cores that are left (docs/decisions/0024-cores.md). Each thread changes its own affinity, and
 * only while it is inside a region. */
#include "narrow.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "affinity.h"
#include "region.h"

static _Thread_local cpu_set_t own, fitted; /* valid while `narrowed` */
static _Thread_local bool narrowed;

void gw_widen_thread(void) {
  if (!narrowed) {
    return;
  }
  int saved = errno;
  cpu_set_t now;
  narrowed = false;
  /* Unless the program has changed the affinity in between. */
  if (sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &fitted)) {
    sched_setaffinity(0, sizeof own, &own);
  }
  errno = saved;
}

void gw_fit_thread(void) {
  uint64_t cores[GW_CORES_SIZE];
  if (!gw_narrowed(gw_peek(), cores)) {
    gw_widen_thread();
    return;
  }
  int saved = errno;
  cpu_set_t before, left;
  if (sched_getaffinity(0, sizeof before, &before) == 0) {
    left = narrowed ? own : before;
    gw_keep_cores(&left, cores);
    if (CPU_COUNT(&left) != 0 && !CPU_EQUAL(&left, &before) &&
        sched_setaffinity(0, sizeof left, &left) == 0) {
      own = narrowed ? own : before;
      fitted = left;
      narrowed = true;
    }
  }
  errno = saved;
}

int gw_room_changed(const gw_task *task) {
  static uint64_t before[GW_CORES_SIZE]; /* all zero: not narrow */
  uint64_t now[GW_CORES_SIZE];
  if (!gw_narrowed(task, now)) {
    memset(now, 0, sizeof now);
  }
  bool changed = memcmp(before, now, sizeof now) != 0;
  memcpy(before, now, sizeof now);
  return changed;
}
