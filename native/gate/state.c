#include "state.h"

struct gw_process gw_process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void before_fork(void) { pthread_mutex_lock(&gw_process.lock); }

static void after_fork_parent(void) { pthread_mutex_unlock(&gw_process.lock); }

/* The child joins at its own first launch. */
static void after_fork_child(void) {
  pthread_mutex_init(&gw_process.lock, NULL);
  gw_process.tasks = NULL; /* copies of the parent's, which the child must not touch */
  atomic_store(&gw_process.task, NULL);
  atomic_store(&gw_process.task_count, 0);
  atomic_store(&gw_process.thread_count, 0);
  atomic_store(&gw_process.owner, 0);
  atomic_store(&gw_process.lent, 0);
}

__attribute__((constructor)) static void handle_forks(void) {
  pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}
