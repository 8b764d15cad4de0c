/* Every wait that has a time limit. The tests of the gate put their own clock in its place. */
#ifndef GIVEWAY_FUTEX_H
#define GIVEWAY_FUTEX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Sleeps while the word has that value; 0 or an errno. UINT64_MAX: without a time limit. */
int gw_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns, bool shared);
void gw_futex_wake(_Atomic uint32_t *word, bool shared);
/* 0 or an errno, as pthread_mutex_timedlock. */
int gw_lock_within(pthread_mutex_t *lock, uint64_t wait_ns);

#endif
