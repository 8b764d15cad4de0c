/* Tasks join a page and leave it. */
#include "join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "park.h"
#include "task.h"
#include "wake.h"
#include "warn.h"
#include "watcher.h"

/* Cuts between characters, for names go to terminals and JSON. */
static void copy_name(char *to, const char *name) {
  size_t n = strnlen(name, GW_NAME_SIZE - 1);
  while (n > 0 && name[n] != '\0' && ((unsigned char)name[n] & 0xC0) == 0x80) {
    n--;
  }
  memset(to, 0, GW_NAME_SIZE);
  memcpy(to, name, n);
}

int gw_join(gw_page *page, const struct gw_task_options *options, gw_task **out) {
  *out = NULL;
  if (options->priority < GW_PRIORITY_MIN || options->priority > GW_PRIORITY_MAX) {
    return gw_fail(GW_E_ARGUMENT, 0);
  }
  struct gw_task *task = calloc(1, sizeof *task);
  if (task == NULL) {
    return gw_fail(GW_E_RESOURCES, ENOMEM);
  }
  task->page = page;
  task->options = *options;
  const char *name = options->name;
  if (name == NULL || *name == '\0') {
    name = getenv("GIVEWAY_NAME");
  }
  copy_name(task->name, name != NULL && *name != '\0' ? name : program_invocation_short_name);
  pthread_mutex_lock(&gw_process.lock);
  int r = gw_watcher_start();
  if (r == GW_OK) {
    r = gw_row_take(page, task);
  }
  if (r == GW_OK) {
    gw_park_serve(page);
    task->next = gw_process.tasks;
    gw_process.tasks = task;
    gw_count_task(task, 1);
  }
  pthread_mutex_unlock(&gw_process.lock);
  if (r != GW_OK) {
    free(task);
    return r;
  }
  task->member = options->is_thread ? NULL : gw_job_join(task);
  *out = task;
  return GW_OK;
}

void gw_leave(gw_task *task) {
  if (task == NULL) {
    return;
  }
  pthread_mutex_lock(&gw_process.lock);
  struct gw_task **link = &gw_process.tasks;
  while (*link != NULL && *link != task) {
    link = &(*link)->next;
  }
  bool found = *link == task; /* not in a child, where the task was the parent's */
  if (found) {
    gw_job_leave(task->member);
  }
  bool done = found && !task->pinned && gw_row_give_back(task);
  if (found) {
    gw_count_task(task, (uint32_t)-1);
  }
  if (done) {
    *link = task->next;
  } else if (found) { /* gw_sweep frees it; the caller's functions are not called any more */
    atomic_store(&task->left, true);
    task->options.busy = NULL;
    task->options.release = NULL;
    gw_wake_idle_watcher();
  }
  pthread_mutex_unlock(&gw_process.lock);
  if (done) {
    free(task);
  }
}

void gw_leave_when_idle(struct gw_task *task) {
  pthread_mutex_lock(&gw_process.lock);
  bool wait = task->options.busy != NULL && atomic_load(&task->active);
  task->leaving = wait;
  pthread_mutex_unlock(&gw_process.lock);
  if (!wait) {
    gw_leave(task);
  }
}
