/* The process's own task: joined at its first launch, and left at exit. */
#include <errno.h>
#include <time.h>

#include "clock.h"
#include "job.h"
#include "join.h"
#include "number.h"
#include "state.h"
#include "task.h"
#include "trace.h"
#include "wait.h"
#include "warn.h"

static _Atomic uint64_t again_ns; /* the process was refused: when to try again; 0: not tried */
static pthread_mutex_t joining = PTHREAD_MUTEX_INITIALIZER;

static void forget(void) {
  pthread_mutex_init(&joining, NULL); /* another thread of the parent may hold it */
  atomic_store(&again_ns, 0);
}

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }

int gw_environment_priority(void) {
  return (int)gw_environment_integer("GIVEWAY_PRIORITY", GW_PRIORITY_MIN, GW_PRIORITY_MAX, 0);
}

/* A process that was refused tries again, at a rate at which the tries cost nothing. */
static bool is_time(void) {
  uint64_t again = GW_READ(again_ns);
  return again == 0 || (again != UINT64_MAX && gw_now() >= again);
}

static gw_task *join_process(const char *device) {
  pthread_mutex_lock(&joining);
  gw_task *task = atomic_load(&gw_process.task);
  if (task == NULL && is_time()) {
    int saved = errno;
    gw_page *page;
    struct gw_task_options options = {.name = NULL, .priority = gw_environment_priority()};
    int r = gw_page_open(device, 1, &page);
    if (r == GW_OK) {
      r = gw_join(page, &options, &task);
    }
    if (r == GW_OK) {
      atomic_store(&gw_process.task, task);
    } else {
      atomic_store(&again_ns, gw_again_ns(r));
      gw_warn_page(r, device);
    }
    errno = saved;
  }
  pthread_mutex_unlock(&joining);
  return task;
}

void gw_pause(void) {
  gw_task *task = GW_READ(gw_process.task);
  if (task != NULL && GW_READ(gw_process.task_count) == 1 &&
      atomic_load(&gw_row_of(task)->gate) != GW_OPEN) {
    gw_pause_task(task);
  }
}

gw_task *gw_current(const char *device) {
  gw_task *task = gw_peek();
  if (GW_LIKELY(task != NULL)) {
    return task;
  }
  if (!is_time() || atomic_load(&gw_process.exiting)) {
    return NULL;
  }
  return join_process(device);
}

/* Other threads may still launch at exit: they go on ungated, so nothing is freed. */
__attribute__((destructor)) static void leave_all(void) {
  atomic_store(&gw_process.exiting, true);
  struct timespec until; /* the watcher may hold the lock, in a stuck driver for ever */
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1;
  if (pthread_mutex_timedlock(&gw_process.lock, &until) == 0) {
    for (struct gw_task *task = gw_process.tasks; task != NULL; task = task->next) {
      gw_job_leave(task->member);
      gw_row_give_back(task);
    }
    gw_trace_write();
    pthread_mutex_unlock(&gw_process.lock);
  }
}
