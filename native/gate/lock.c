/* The lock is robust: where its holder dies, the next one gets it. The wait for it is bounded: a
 * holder that is stopped (SIGSTOP) costs other processes their gating, and never blocks them. */
#include "lock.h"

#include <errno.h>

#include "clock.h"
#include "futex.h"
#include "liveness.h"
#include "robust.h"
#include "rule.h"
#include "warn.h"

#define LAUNCH_WAIT_NS (50 * GW_MS)
#define PATIENT_WAIT_NS (1000 * GW_MS)
#define BACKOFF_NS (20 * GW_MS) /* doubles with every failure in a row, to at most 64 times */

int gw_reap_dead(struct gw_page *page) {
  int reaped = 0;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (GW_READ(row->state) != GW_FREE && !gw_row_alive(page, i)) {
      gw_row_free(row);
      reaped++;
    }
  }
  gw_gates_update(page, gw_now());
  return reaped;
}

static int lock_page(struct gw_page *page, uint64_t wait_ns) {
  int broken = gw_page_check(page);
  if (broken != 0) {
    return gw_page_distrust(page, broken);
  }
  int r = gw_lock_within(&page->map->header.lock, wait_ns);
  switch (r) {
  case 0:
    return GW_OK;
  case EOWNERDEAD:
    /* Rows are consistent one atomic field at a time; only the gates may be half done. */
    pthread_mutex_consistent(&page->map->header.lock);
    gw_reap_dead(page);
    return GW_OK;
  case ETIMEDOUT:
    return gw_fail(GW_E_LOCK, r);
  default:
    gw_fail(GW_E_LOCK, r);
    return gw_page_distrust(page, GW_E_LOCK);
  }
}

int gw_page_lock_patiently(struct gw_page *page) { return lock_page(page, PATIENT_WAIT_NS); }

int gw_page_lock_task(struct gw_page *page, uint64_t ticket, struct gw_row **row) {
  int r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    return r;
  }
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    *row = &page->map->rows[i];
    if (ticket != 0 && atomic_load(&(*row)->ticket) == ticket) {
      return GW_OK;
    }
  }
  gw_page_unlock(page);
  return gw_fail(GW_E_NO_TASK, 0);
}

int gw_page_lock(struct gw_page *page) {
  uint32_t failures = GW_READ(page->lock_failures);
  if (failures != 0 && gw_now() < GW_READ(page->lock_again_ns)) {
    return gw_fail(GW_E_LOCK, ETIMEDOUT);
  }
  int r = lock_page(page, LAUNCH_WAIT_NS);
  if (r == GW_OK && failures != 0) {
    GW_WRITE(page->lock_failures, 0);
  } else if (r == GW_E_LOCK) {
    uint64_t backoff = (uint64_t)BACKOFF_NS << (failures < 6 ? failures : 6);
    GW_WRITE(page->lock_again_ns, gw_now() + backoff);
    GW_WRITE(page->lock_failures, failures + 1);
  }
  return r;
}

void gw_page_unlock(struct gw_page *page) {
  if (gw_lock_is_sane(&page->map->header.lock)) {
    pthread_mutex_unlock(&page->map->header.lock);
  }
}
