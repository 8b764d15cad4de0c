/* This process's own state of its pages and tasks, and its reads of rows. */
#ifndef GIVEWAY_STATE_H
#define GIVEWAY_STATE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "atomics.h"
#include "gate_page.h"
#include "giveway_hook.h"
#include "slack.h"

#define GW_LIKELY(x) __builtin_expect(!!(x), 1)
#define GW_DEVICE_SIZE 64
#define GW_MS INT64_C(1000000) /* nanoseconds */

struct gw_page {
  struct gw_page_layout *map;
  int fd;
  dev_t filesystem;
  ino_t inode;
  _Atomic int broken; /* 0, or the enum gw_error for which the page is no longer trusted */
  atomic_flag reopening;
  _Atomic uint32_t lock_failures; /* in a row: the holder of the page's lock does not move */
  _Atomic uint64_t lock_again_ns; /* until then no launch of this process waits for the lock */
  _Atomic bool deciding;          /* this process is the page's daemon */
  struct gw_seen *seen;           /* what the daemon has seen of the page */
  char device[GW_DEVICE_SIZE];
  char path[PATH_MAX];
  struct gw_page *next;
};

struct gw_task {
  /* Read or written by every launch. */
  struct gw_row *row;
  _Atomic uint32_t active;        /* this process's view; other processes see the row's state */
  _Atomic uint32_t in_flight;     /* launches between gw_begin and gw_end */
  _Atomic uint64_t last_ns;       /* when a launch of the task last began or finished */
  _Atomic uint64_t seen_launches; /* the launches at that time, where ends are not reported */
  _Atomic int last_thread;  /* of the last launch; negative: an operator, with no end reported */
  _Atomic uint32_t waiting; /* of the launches in flight, those at the closed gate */

  struct gw_page *page;
  _Atomic uint64_t ticket; /* the row's, as long as the row is this task's */
  _Atomic bool left;
  _Atomic bool on_device; /* the device waits for the row's stream_gate */
  /* For launches that may get a stream gate. */
  _Atomic uint64_t seen_preemptions, preempted_until_ns;
  struct gw_task_options options;
  char name[GW_NAME_SIZE];

  /* Used by the watcher alone. */
  uint64_t preempted_ns, held_since_ns, checked_ns;
  bool released;
  struct gw_slack slack;
  uint64_t seen_attributes; /* changes of the attributes, and one; 0: none read yet */
  bool spending;            /* the slack's episode has begun */

  struct gw_member *member; /* of the job; NULL: of none. Set before the task's first launch */
  struct gw_task *next;
  struct gw_task *sibling; /* the same thread's task on another page */
  bool leaving;            /* under gw_process.lock: leaves as soon as it is idle */
};

/* One for each process; a forked child begins with none of its parent's tasks. */
struct gw_process {
  pthread_mutex_t lock; /* guards the lists and joining; taken before a page's lock */
  struct gw_page *pages;
  struct gw_task *tasks;
  _Atomic(struct gw_task *) task; /* the process's own; NULL: not joined */
  _Atomic uint32_t task_count;
  _Atomic uint32_t thread_count; /* of these, thread-local tasks */
  _Atomic uint64_t owner;        /* random, never 0 once set */
  _Atomic uint32_t lent;         /* as in the rows of its tasks */
  _Atomic bool exiting;
};
extern struct gw_process gw_process;

/* The priority that counts against others: the row's own, or the higher one that it inherits. */
static inline int32_t gw_row_priority(const struct gw_row *row) {
  int32_t own = GW_READ(row->priority);
  uint32_t lent = GW_READ(row->lent);
  int32_t other = (int32_t)lent - 1 + GW_PRIORITY_MIN;
  return lent != 0 && other > own ? other : own;
}

static inline uint32_t gw_rows_used(const struct gw_page *page) {
  uint32_t n = GW_READ(page->map->header.rows_used);
  return n <= GW_ROWS ? n : GW_ROWS;
}

/* Whether the task's row was given away: a record lock was lost, or the page was tampered with. */
static inline bool gw_task_lost(const struct gw_task *task) {
  return GW_READ(task->row->ticket) != GW_READ(task->ticket);
}

#endif
