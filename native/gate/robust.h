/* The mutex of a page: robust, and shared by processes. */
#ifndef GIVEWAY_ROBUST_H
#define GIVEWAY_ROBUST_H

#include <pthread.h>
#include <stdbool.h>

/* 0 or an errno. */
int gw_lock_init(pthread_mutex_t *lock);
/* Whether glibc may be given the lock as it is in memory now. */
bool gw_lock_is_sane(const pthread_mutex_t *lock);

#endif
