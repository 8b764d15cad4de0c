/* The page's lock: robust, so that a holder that dies leaves it to the next; waited for only for so
 * long, so that a holder that is stopped (SIGSTOP) costs others their gating and never their life.
 */
#include <errno.h>

#include "internal.h"

#define LAUNCH_WAIT_NS (50 * GW_MS)
#define PATIENT_WAIT_NS (1000 * GW_MS)
#define BACKOFF_NS (20 * GW_MS) /* doubles with every failure in a row, to at most 64 times */

int gw_lock_init(pthread_mutex_t *lock) {
  pthread_mutexattr_t a;
  int r = pthread_mutexattr_init(&a);
  if (r == 0) {
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    r = pthread_mutex_init(lock, &a);
    pthread_mutexattr_destroy(&a);
  }
  return r;
}

/* glibc acts on the kind it finds in the memory; with overwritten bytes it may assert, so compare
 * it with that of a fresh lock first. */
bool gw_lock_is_sane(const pthread_mutex_t *lock) {
  static _Atomic int robust_kind = -1;
  int kind = atomic_load_explicit(&robust_kind, memory_order_relaxed);
  if (kind < 0) {
    pthread_mutex_t fresh;
    if (gw_lock_init(&fresh) != 0) {
      return false;
    }
    kind = fresh.__data.__kind;
    pthread_mutex_destroy(&fresh);
    atomic_store_explicit(&robust_kind, kind, memory_order_relaxed);
  }
  return *(const volatile int *)&lock->__data.__kind == kind;
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

int gw_page_lock(struct gw_page *page) {
  uint32_t failures = atomic_load_explicit(&page->lock_failures, memory_order_relaxed);
  if (failures != 0 &&
      gw_now() < atomic_load_explicit(&page->lock_again_ns, memory_order_relaxed)) {
    return gw_fail(GW_E_LOCK, ETIMEDOUT);
  }
  int r = lock_page(page, LAUNCH_WAIT_NS);
  if (r == GW_OK && failures != 0) {
    atomic_store_explicit(&page->lock_failures, 0, memory_order_relaxed);
  } else if (r == GW_E_LOCK) {
    uint64_t backoff = (uint64_t)BACKOFF_NS << (failures < 6 ? failures : 6);
    atomic_store_explicit(&page->lock_again_ns, gw_now() + backoff, memory_order_relaxed);
    atomic_store_explicit(&page->lock_failures, failures + 1, memory_order_relaxed);
  }
  return r;
}

void gw_page_unlock(struct gw_page *page) {
  if (gw_lock_is_sane(&page->map->header.lock)) {
    pthread_mutex_unlock(&page->map->header.lock);
  }
}
