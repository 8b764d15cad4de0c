/* Thread-local tasks. On a device with one page a thread joins in gw_enter; where a hook knows the
 * pages (one for each GPU), a thread joins each page at its first launch there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "join.h"
#include "warn.h"

struct gw_own {
  gw_page *page; /* NULL: every page that the hook asks for */
  char *name;
  int priority;
  uint64_t again_ns; /* a page refused the task: until then the process's task has the launches */
  gw_task *tasks;    /* linked by `sibling` */
  gw_own *outer;
};

static _Thread_local gw_own *thread_own;
static const char *_Atomic hook_device;
static gw_task *(*_Atomic hook_current)(void);

static void forget(void) { thread_own = NULL; }

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }

void gw_set_hooked(const char *device, gw_task *(*current)(void)) {
  atomic_store(&hook_current, current);
  atomic_store(&hook_device, device);
}

int gw_hooked(void) { return atomic_load(&hook_device) != NULL; }

static int join(gw_own *own, gw_page *page, const gw_task *like, gw_task **task) {
  struct gw_task_options options = {.name = own->name, .priority = own->priority, .is_thread = 1};
  if (like != NULL) {
    options.busy = like->options.busy;
    options.context = like->options.context;
    options.side_by_side = like->options.side_by_side;
  }
  int r = gw_join(page, &options, task);
  if (r == GW_OK) {
    (*task)->sibling = own->tasks;
    own->tasks = *task;
  }
  return r;
}

gw_task *gw_thread_task(gw_page *page, gw_task *otherwise) {
  gw_own *own = thread_own;
  while (own != NULL && own->page != NULL && own->page != page) {
    own = own->outer;
  }
  if (GW_LIKELY(own == NULL)) {
    return otherwise;
  }
  for (gw_task *task = own->tasks; task != NULL; task = task->sibling) {
    if (task->page == page) {
      return task;
    }
  }
  if ((own->again_ns != 0 && gw_now() < own->again_ns) || atomic_load(&gw_process.exiting)) {
    return otherwise;
  }
  int saved = errno;
  gw_task *task = otherwise;
  int r = join(own, page, otherwise, &task);
  if (r != GW_OK) {
    own->again_ns = gw_again_ns(r);
    task = otherwise;
    gw_warn_page(r, page->device);
  }
  errno = saved;
  return task;
}

gw_task *gw_peek(void) {
  gw_task *(*current)(void) = GW_READ(hook_current);
  if (current != NULL) {
    return current();
  }
  return thread_own != NULL ? thread_own->tasks : GW_READ(gw_process.task);
}

int gw_enter(const char *device, const char *name, int priority, gw_own **out) {
  *out = NULL;
  if (priority < GW_PRIORITY_MIN || priority > GW_PRIORITY_MAX) {
    return gw_fail(GW_E_ARGUMENT, 0);
  }
  gw_own *own = calloc(1, sizeof *own);
  if (own == NULL) {
    return gw_fail(GW_E_RESOURCES, ENOMEM);
  }
  own->priority = priority;
  own->name = name != NULL ? strdup(name) : NULL;
  const char *hooked = atomic_load(&hook_device);
  bool lazy = atomic_load(&hook_current) != NULL && strcmp(device, hooked) == 0;
  int r = lazy ? GW_OK : gw_page_open(device, 1, &own->page);
  gw_task *task;
  if (r == GW_OK && !lazy) {
    r = join(own, own->page, NULL, &task);
  }
  if (r != GW_OK) {
    free(own->name);
    free(own);
    return r;
  }
  own->outer = thread_own;
  thread_own = own;
  *out = own;
  return GW_OK;
}

void gw_exit(gw_own *own) {
  if (own == NULL || own != thread_own) {
    return;
  }
  thread_own = own->outer;
  for (gw_task *task = own->tasks, *next; task != NULL; task = next) {
    next = task->sibling;
    gw_leave_when_idle(task);
  }
  free(own->name);
  free(own);
}
