/* The rows of this process's tasks: taken, filled, and given back. */
#include "task.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "liveness.h"
#include "lock.h"
#include "memory.h"
#include "park_calls.h"
#include "rule.h"
#include "settings.h"
#include "steer.h"
#include "trace.h"
#include "warn.h"

/* How often a task that was refused tries again. A try may wait a second for the page's lock. */
#define AGAIN_NS (1000 * GW_MS)
#define AGAIN_AFTER_LOCK_NS (60 * AGAIN_NS)

/* Under the page's lock: a free row; -1: none. */
static int find_row(struct gw_page *page) {
  struct gw_row *rows = page->map->rows;
  for (int attempt = 0; attempt < 2; attempt++) {
    for (uint32_t i = 0; i < GW_ROWS; i++) {
      if (GW_READ(rows[i].state) == GW_FREE) {
        return (int)i;
      }
    }
    if (gw_reap_dead(page) == 0) {
      break;
    }
  }
  return -1;
}

/* By this number an observer in another PID namespace finds the process. */
static uint64_t pid_namespace(void) {
  struct stat own;
  return stat("/proc/self/ns/pid", &own) == 0 ? own.st_ino : 0;
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
  atomic_store(&row->waiters, 0);
  atomic_store(&row->grace_end_ns, 0);
  atomic_store(&row->width, 0);
  gw_memory_fill(row, task);
  atomic_store(&row->slack_tolerance, 0);
  atomic_store(&row->slack_credit_ns, 0);
  atomic_store(&row->beside_ns, 0);
  atomic_store(&row->contended_ns, 0);
  atomic_store(&row->slack_speed, 0);
  atomic_store(&row->slack_verdict, 0);
  gw_park_fill(row);
  atomic_store(&row->decided, GW_OPEN);
  atomic_store(&row->pid, (uint32_t)getpid());
  atomic_store(&row->pid_namespace, pid_namespace());
  atomic_store(&row->flags, (task->options.is_thread ? GW_ROW_THREAD : 0u) |
                                (gw_settings()->max_wait_ns == 0 ? GW_ROW_PATIENT : 0u) |
                                gw_park_flags(task));
  atomic_store(&row->joined_ns, gw_now());
  memcpy(row->name, task->name, sizeof row->name);
  const char *attributes = task->options.is_thread ? NULL : getenv("GIVEWAY_ATTRIBUTES");
  gw_attributes_write(page, (uint32_t)index, attributes != NULL ? attributes : "");
  atomic_store(&row->priority, task->options.priority);
  atomic_store(&row->lent, atomic_load(&gw_process.lent));
  uint64_t ticket = atomic_fetch_add(&page->map->header.next_ticket, 1);
  atomic_store(&row->stream_gate, GW_STREAM_OPEN(ticket));
  atomic_store(&row->ticket, ticket);
  gw_row_claim(page, (uint32_t)index, ticket);
  if ((uint32_t)index >= gw_rows_used(page)) {
    atomic_store(&page->map->header.rows_used, (uint32_t)index + 1);
  }
  atomic_store(&row->state, GW_IDLE);
  atomic_store(&task->ticket, ticket);
  task->row = row;
}

int gw_row_take(struct gw_page *page, struct gw_task *task) {
  int r = gw_holder_start(page);
  if (r == GW_OK) {
    r = gw_page_lock_patiently(page);
  }
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

static void release_row(struct gw_task *task) {
  struct gw_seat seat = gw_seat_of(task);
  gw_row_release(task->page, (uint32_t)(seat.row - task->page->map->rows), seat.ticket);
}

uint64_t gw_again_ns(int error) {
  bool passes =
      error == GW_E_FULL || error == GW_E_RESOURCES || error == GW_E_SPACE || error == GW_E_VERSION;
  return passes               ? gw_now() + AGAIN_NS
         : error == GW_E_LOCK ? gw_now() + AGAIN_AFTER_LOCK_NS
                              : UINT64_MAX;
}

int gw_row_retake(struct gw_task *task) {
  release_row(task);
  return gw_row_take(task->page, task);
}

int gw_rejoin(struct gw_task *task) {
  int r = GW_OK;
  pthread_mutex_lock(&gw_process.lock);
  if (gw_task_lost(task)) {
    if (task->options.priority < GW_PRIORITY_MIN || task->options.priority > GW_PRIORITY_MAX) {
      task->options.priority = 0;
    }
    atomic_store(&task->active, 0);
    r = gw_row_retake(task);
    if (r != GW_OK) {
      atomic_store(&task->again_ns, gw_again_ns(r));
      gw_warn_ungated(r, task->page->path);
    }
  }
  pthread_mutex_unlock(&gw_process.lock);
  return r;
}

void gw_count_task(const struct gw_task *task, uint32_t by) {
  atomic_fetch_add(&gw_process.task_count, by);
  if (task->options.is_thread) {
    atomic_fetch_add(&gw_process.thread_count, by);
  }
}

bool gw_row_give_back(struct gw_task *task) {
  gw_trace_keep(task);
  return gw_row_leave(task);
}

bool gw_row_leave(struct gw_task *task) {
  atomic_store(&task->left, true);
  if (gw_page_lock(task->page) != GW_OK) {
    return atomic_load(&task->page->broken) != 0;
  }
  if (!gw_task_lost(task)) {
    gw_row_free(gw_row_of(task));
    gw_gates_update(task->page, gw_now());
  }
  release_row(task);
  gw_page_unlock(task->page);
  return true;
}

void gw_task_pin(struct gw_task *task) {
  task->pinned = true;
  pthread_mutex_unlock(&gw_process.lock);
}

void gw_task_unpin(struct gw_task *task) {
  pthread_mutex_lock(&gw_process.lock);
  task->pinned = false;
}

int gw_task_is_busy(struct gw_task *task) {
  struct gw_task_options hook = task->options;
  gw_task_pin(task);
  int answer = hook.busy(hook.context);
  gw_task_unpin(task);
  return answer;
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
      gw_count_task(task, (uint32_t)-1);
    }
    if (!gw_row_give_back(task)) {
      again = true;
      link = &task->next;
      continue;
    }
    *link = task->next;
    free(task);
  }
  return again;
}
