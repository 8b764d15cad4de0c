/* Every wait that has a time limit. The tests of the gate put their own clock in its place. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "futex.h"

int gw_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns, bool shared) {
  struct timespec t = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
  int op = shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE;
  int saved = errno;
  long r = syscall(SYS_futex, word, op, value, timeout_ns == UINT64_MAX ? NULL : &t, NULL, 0);
  int error = r == 0 ? 0 : errno;
  errno = saved;
  return error;
}

void gw_futex_wake(_Atomic uint32_t *word, bool shared) {
  int saved = errno;
  syscall(SYS_futex, word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  errno = saved;
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* New in glibc 2.30. Where it is missing, a wait ends early or late if somebody sets the clock. */
extern int pthread_mutex_clocklock(pthread_mutex_t *, clockid_t, const struct timespec *)
    __attribute__((weak));

/* An unlock wakes one waiter. If that waiter is killed before it takes the lock, the wake-up is
 * lost, and the other waiters sleep although the lock is free. So a waiter tries again after this
 * time. */
#define TRY_AGAIN_NS UINT64_C(10000000)

int gw_lock_within(pthread_mutex_t *lock, uint64_t wait_ns) {
#ifdef __SANITIZE_THREAD__
  bool known = false; /* GCC 12's ThreadSanitizer knows timedlock only */
#else
  bool known = pthread_mutex_clocklock != NULL;
#endif
  clockid_t clock = known ? CLOCK_MONOTONIC : CLOCK_REALTIME;
  uint64_t now = read_clock(clock), until = now + wait_ns;
  for (;; now = read_clock(clock)) {
    bool over = now >= until;
    uint64_t end = over || until - now < TRY_AGAIN_NS ? until : now + TRY_AGAIN_NS;
    struct timespec t = {(time_t)(end / 1000000000u), (long)(end % 1000000000u)};
    int r = known ? pthread_mutex_clocklock(lock, clock, &t) : pthread_mutex_timedlock(lock, &t);
    if (r != ETIMEDOUT || over) {
      return r;
    }
  }
}
