#include "robust.h"

#include <stdatomic.h>

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

/* glibc acts on the kind that it finds in memory, and may assert where bytes were overwritten: so
 * the kind is compared with that of a fresh lock first. */
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
