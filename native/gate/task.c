/* The tasks of this process: the process's own, joined at its first launch, and those that threads
 * opted into; what fork and exit do to them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "internal.h"

struct gw_process gw_process = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum { NOT_TRIED = 0, JOINED = 1, UNGATED = 2 };
static _Atomic int process_state;
static _Atomic(struct gw_task *) process_task;
static pthread_mutex_t joining = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_handlers = PTHREAD_ONCE_INIT;

bool gw_task_lost(const struct gw_task *task) {
  return atomic_load_explicit(&task->row->ticket, memory_order_relaxed) !=
         atomic_load_explicit(&task->ticket, memory_order_relaxed);
}

/* ---- fork: the child has none of its parent's tasks; it joins at its own first launch ----------
 */

static void before_fork(void) { pthread_mutex_lock(&gw_process.lock); }

static void after_fork_parent(void) { pthread_mutex_unlock(&gw_process.lock); }

static void after_fork_child(void) {
  pthread_mutex_init(&gw_process.lock, NULL);
  pthread_mutex_init(&joining, NULL); /* another thread's, it may have been taken */
  gw_process.tasks = NULL;            /* copies of the parent's, which nobody here may touch */
  atomic_store(&gw_process.task_count, 0);
  atomic_store(&gw_process.thread_count, 0);
  atomic_store(&gw_process.owner, 0);
  atomic_store(&process_task, NULL);
  atomic_store(&process_state, NOT_TRIED);
  gw_own_forget();
  gw_lend_forget();
  gw_trace_forget();
  gw_watcher_forget();
}

static void install_fork_handlers(void) {
  pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* ---- joining -----------------------------------------------------------------------------------
 */

static uint64_t random_identity(void) {
  uint64_t id = 0;
  if (getrandom(&id, sizeof id, GRND_NONBLOCK) != sizeof id || id == 0) {
    id = gw_now() ^ ((uint64_t)getpid() << 40) ^ 1;
  }
  return id;
}

/* Under the page's lock: a row that nobody has and whose lock we got, or -1. */
static int find_row(struct gw_page *page) {
  struct gw_row *rows = page->map->rows;
  for (int attempt = 0; attempt < 2; attempt++) {
    for (uint32_t i = 0; i < GW_ROWS; i++) {
      if (atomic_load_explicit(&rows[i].state, memory_order_relaxed) == GW_FREE &&
          gw_row_claim(page, i) == 0) {
        return (int)i;
      }
    }
    if (gw_reap_dead(page) == 0) {
      break;
    }
  }
  return -1;
}

static void fill_row(struct gw_page *page, int index, struct gw_task *task) {
  struct gw_row *row = &page->map->rows[index];
  gw_row_free(row);
  atomic_store(&row->launches, 0);
  atomic_store(&row->operators, 0);
  atomic_store(&row->held_ns, 0);
  atomic_store(&row->held, 0);
  atomic_store(&row->preemptions, 0);
  atomic_store(&row->closed_ns, 0);
  atomic_store(&row->stopped_ns, 0);
  atomic_store(&row->quantum_end_ns, 0);
  atomic_store(&row->activations, 0);
  atomic_store(&row->decided, GW_OPEN);
  atomic_store(&row->pid, (uint32_t)getpid());
  atomic_store(&row->flags, (task->options.is_thread ? GW_ROW_THREAD : 0u) |
                                (gw_settings()->max_wait_ns == 0 ? GW_ROW_PATIENT : 0u));
  atomic_store(&row->joined_ns, gw_now());
  memcpy(row->name, task->name, sizeof row->name);
  const char *attributes = task->options.is_thread ? NULL : getenv("GIVEWAY_ATTRIBUTES");
  gw_attributes_put(page, (uint32_t)index, attributes != NULL ? attributes : "");
  atomic_store(&row->priority, task->options.priority);
  atomic_store(&row->lent, atomic_load(&gw_process.lent));
  atomic_store(&row->owner, atomic_load(&gw_process.owner));
  uint64_t ticket = atomic_fetch_add(&page->map->header.next_ticket, 1);
  atomic_store(&row->stream_gate, GW_STREAM_OPEN(ticket));
  atomic_store(&row->ticket, ticket);
  if ((uint32_t)index >= gw_rows_used(page)) {
    atomic_store(&page->map->header.rows_used, (uint32_t)index + 1);
  }
  atomic_store(&row->state, GW_IDLE);
  atomic_store(&task->ticket, ticket);
  task->row = row;
}

/* Under gw_process.lock. */
static int take_row(struct gw_page *page, struct gw_task *task) {
  if (atomic_load(&gw_process.owner) == 0) {
    atomic_store(&gw_process.owner, random_identity());
  }
  int r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    return r;
  }
  int index = find_row(page);
  if (index < 0) {
    r = gw_fail(GW_E_FULL, 0);
  } else {
    fill_row(page, index, task);
    gw_gates_update(page, gw_now());
  }
  gw_page_unlock(page);
  return r;
}

/* Its row was given away, because its lock was lost with a descriptor or the page was tampered
 * with. */
int gw_rejoin(struct gw_task *task) {
  int r = GW_OK;
  pthread_mutex_lock(&gw_process.lock);
  if (gw_task_lost(task)) {
    if (task->options.priority < GW_PRIORITY_MIN || task->options.priority > GW_PRIORITY_MAX) {
      task->options.priority = 0;
    }
    atomic_store(&task->active, 0);
    r = take_row(task->page, task);
    if (r != GW_OK) {
      gw_page_distrust(task->page, r);
    }
  }
  pthread_mutex_unlock(&gw_process.lock);
  return r;
}

/* Cuts at a character: a name goes to terminals and JSON. */
static void copy_name(char *to, const char *name) {
  size_t n = strnlen(name, GW_NAME_SIZE - 1);
  while (n > 0 && name[n] != '\0' && ((unsigned char)name[n] & 0xC0) == 0x80) {
    n--;
  }
  memset(to, 0, GW_NAME_SIZE);
  memcpy(to, name, n);
}

static void count_task(const struct gw_task *task, uint32_t by) {
  atomic_fetch_add(&gw_process.task_count, by);
  if (task->options.is_thread) {
    atomic_fetch_add(&gw_process.thread_count, by);
  }
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
  pthread_once(&fork_handlers, install_fork_handlers);
  pthread_mutex_lock(&gw_process.lock);
  int r = gw_watcher_start();
  if (r == GW_OK) {
    r = take_row(page, task);
  }
  if (r == GW_OK) {
    task->next = gw_process.tasks;
    gw_process.tasks = task;
    count_task(task, 1);
  }
  pthread_mutex_unlock(&gw_process.lock);
  if (r != GW_OK) {
    free(task);
    return r;
  }
  *out = task;
  return GW_OK;
}

/* Under gw_process.lock. False where the page's lock is not to be had just now: a row that nobody
 * gives back would stay as long as this process, and hold others if it is active. */
static bool give_row_back(struct gw_task *task) {
  gw_trace_leave(task);
  atomic_store(&task->left, true);
  if (gw_page_lock(task->page) != GW_OK) {
    return atomic_load(&task->page->broken) != 0;
  }
  if (!gw_task_lost(task)) {
    gw_row_free(task->row);
    gw_gates_update(task->page, gw_now());
    gw_row_release(task->page, (uint32_t)(task->row - task->page->map->rows));
  }
  gw_page_unlock(task->page);
  return true;
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
  bool found = *link == task; /* not where it was the parent's, before a fork */
  bool done = found && give_row_back(task);
  if (found) {
    count_task(task, (uint32_t)-1);
  }
  if (done) {
    *link = task->next;
  } else if (found) { /* gw_sweep goes on; nobody asks the caller about it any more */
    task->options.busy = NULL;
    task->options.release = NULL;
    gw_watcher_wake();
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

bool gw_sweep(void) {
  bool again = false;
  for (struct gw_task **link = &gw_process.tasks; *link != NULL;) {
    struct gw_task *task = *link;
    bool left = atomic_load(&task->left);
    if (!left && (!task->leaving || atomic_load(&task->active))) {
      link = &task->next;
      continue;
    }
    if (!left) {
      count_task(task, (uint32_t)-1);
    }
    if (!give_row_back(task)) {
      again = true;
      link = &task->next;
      continue;
    }
    *link = task->next;
    free(task);
  }
  return again;
}

/* ---- the calling thread ------------------------------------------------------------------------
 */

int gw_environment_priority(void) {
  const char *text = getenv("GIVEWAY_PRIORITY");
  if (text == NULL || *text == '\0') {
    return 0;
  }
  char *end;
  long value = strtol(text, &end, 10);
  return *end == '\0' && value >= GW_PRIORITY_MIN && value <= GW_PRIORITY_MAX ? (int)value : 0;
}

static gw_task *join_process(const char *device) {
  pthread_mutex_lock(&joining);
  gw_task *task = atomic_load(&process_task);
  if (task == NULL && atomic_load(&process_state) == NOT_TRIED) {
    int saved = errno;
    gw_page *page;
    struct gw_task_options options = {.name = NULL, .priority = gw_environment_priority()};
    int r = gw_page_open(device, 1, &page);
    if (r == GW_OK) {
      r = gw_join(page, &options, &task);
    }
    if (r == GW_OK) {
      atomic_store(&process_task, task);
      atomic_store(&process_state, JOINED);
    } else {
      atomic_store(&process_state, UNGATED);
      gw_warn_page(r, device);
    }
    errno = saved;
  }
  pthread_mutex_unlock(&joining);
  return task;
}

_Atomic(void (*)(void)) gw_preempt;

void gw_on_preempt(void (*preempt)(void)) { atomic_store(&gw_preempt, preempt); }

void gw_pause(void) {
  gw_task *task = atomic_load_explicit(&process_task, memory_order_relaxed);
  if (task != NULL && atomic_load_explicit(&gw_process.task_count, memory_order_relaxed) == 1 &&
      atomic_load_explicit(&task->row->gate, memory_order_relaxed) != GW_OPEN) {
    gw_pause_task(task);
  }
}

gw_task *gw_process_task(void) { return atomic_load_explicit(&process_task, memory_order_relaxed); }

gw_task *gw_current(const char *device) {
  gw_task *task = gw_peek();
  if (GW_LIKELY(task != NULL)) {
    return task;
  }
  if (atomic_load_explicit(&process_state, memory_order_relaxed) == UNGATED ||
      atomic_load(&gw_process.exiting)) {
    return NULL;
  }
  return join_process(device);
}

/* At exit other threads may still be launching: they go on ungated, and nothing is freed. */
__attribute__((destructor)) static void leave_all(void) {
  atomic_store(&gw_process.exiting, true);
  struct timespec until; /* the watcher may have it for a moment, a stuck driver for ever */
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1;
  if (pthread_mutex_timedlock(&gw_process.lock, &until) == 0) {
    for (struct gw_task *task = gw_process.tasks; task != NULL; task = task->next) {
      give_row_back(task);
    }
    gw_trace_write();
    pthread_mutex_unlock(&gw_process.lock);
  }
}
