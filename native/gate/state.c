#include "state.h"

#include "keeper.h"

struct gw_process gw_process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void before_fork(void) { pthread_mutex_lock(&gw_process.lock); }

static void after_fork_parent(void) { pthread_mutex_unlock(&gw_process.lock); }

/* The child has none of the parent's threads, and so none of its rows. */
static void forget_rows(struct gw_page *page) {
  if (page->keeper != NULL) {
    gw_keeper_forget(page->keeper);
    page->keeper = NULL;
    for (uint32_t i = 0; i < GW_ROWS; i++) {
      GW_WRITE(page->ours[i], 0);
    }
  }
  atomic_store(&page->deciding, false);
  page->serves_requests = false;
}

/* The child joins at its own first launch. */
static void after_fork_child(void) {
  gw_process.tasks = NULL; /* copies of the parent's, which the child must not touch */
  atomic_store(&gw_process.task, NULL);
  atomic_store(&gw_process.task_count, 0);
  atomic_store(&gw_process.thread_count, 0);
  atomic_fetch_add(&gw_process.forks, 1);
  atomic_store(&gw_process.lent, 0);
  atomic_store(&gw_process.parked, GW_NOT_PARKED);
  atomic_store(&gw_process.inside, 0);
  for (struct gw_page *page = gw_process.pages; page != NULL; page = page->next) {
    forget_rows(page);
  }
  pthread_mutex_unlock(&gw_process.lock); /* the thread that forked has locked it */
}

__attribute__((constructor)) static void handle_forks(void) {
  pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}
