#include "count.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

_Thread_local struct gw_counts *gw_own_counts;

static struct gw_counts *all, nowhere; /* nowhere: used where memory is short */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;
static pthread_once_t keyed = PTHREAD_ONCE_INIT;

static void give_back(void *counts) {
  gw_own_counts = NULL; /* destructors that run after this one may count again */
  pthread_mutex_lock(&lock);
  ((struct gw_counts *)counts)->free = true;
  pthread_mutex_unlock(&lock);
}

static void fork_child(void) {
  pthread_mutex_init(&lock, NULL);
  for (struct gw_counts *counts = all; counts != NULL; counts = counts->next) {
    memset(counts->of, 0, sizeof counts->of);
    counts->free = counts != gw_own_counts;
  }
}

static void make_key(void) {
  pthread_key_create(&key, give_back);
  pthread_atfork(NULL, NULL, fork_child);
}

struct gw_counts *gw_counts_take(void) {
  pthread_once(&keyed, make_key);
  pthread_mutex_lock(&lock);
  struct gw_counts *counts = all;
  while (counts != NULL && !counts->free) {
    counts = counts->next;
  }
  if (counts == NULL && (counts = calloc(1, sizeof *counts)) != NULL) {
    counts->next = all;
    all = counts;
  }
  if (counts != NULL) {
    counts->free = false;
  }
  pthread_mutex_unlock(&lock);
  if (counts == NULL) {
    return &nowhere;
  }
  gw_own_counts = counts;
  pthread_setspecific(key, counts);
  return counts;
}

void gw_counts_sum(uint64_t of[GW_COUNTED]) {
  memset(of, 0, GW_COUNTED * sizeof *of);
  pthread_mutex_lock(&lock);
  for (struct gw_counts *counts = all; counts != NULL; counts = counts->next) {
    for (int i = 0; i < GW_COUNTED; i++) {
      of[i] += atomic_load_explicit(&counts->of[i], memory_order_relaxed);
    }
  }
  pthread_mutex_unlock(&lock);
}
