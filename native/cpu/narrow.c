/* Where an urgent program keeps only some of the cores busy, the regions of the others go on, on
 * the cores that are left (docs/decisions/0024-cores.md). Each thread changes its own affinity, and
 * only while it is inside a region. */
#include "narrow.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "affinity.h"
#include "region.h"

static _Thread_local cpu_set_t own, fitted; /* valid while `narrowed` */
static _Thread_local bool narrowed;
static _Atomic int narrow_threads;

int gw_any_narrow(void) { return atomic_load(&narrow_threads) != 0; }

void gw_widen_thread(void) {
  if (!narrowed) {
    return;
  }
  int saved = errno;
  cpu_set_t now;
  narrowed = false;
  atomic_fetch_sub(&narrow_threads, 1);
  /* Unless the program has changed the affinity in between. */
  if (sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &fitted)) {
    sched_setaffinity(0, sizeof own, &own);
  }
  errno = saved;
}

void gw_narrow_fork_child(void) {
  gw_widen_thread();
  atomic_store(&narrow_threads, 0);
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
      fitted = left;
      if (!narrowed) {
        own = before;
        narrowed = true;
        atomic_fetch_add(&narrow_threads, 1);
      }
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
