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
  _Atomic int broken;       /* 0, or the enum gw_error for which the page is no longer trusted */
  struct gw_keeper *keeper; /* NULL: this process has had no row yet */
  _Atomic uint64_t ours[GW_ROWS]; /* the tickets of the rows that this process has */
  _Atomic uint32_t lock_failures; /* in a row: the holder of the page's lock does not move */
  _Atomic uint64_t lock_again_ns; /* until then no launch of this process waits for the lock */
  _Atomic bool deciding;          /* this process is the page's daemon */
  struct gw_seen *seen;           /* what the daemon has seen of the page */
  bool serves_requests;           /* under gw_process.lock: a thread waits for requests to park */
  struct { /* of the thread that parks: bytes on the device, UINT64_MAX: unknown */
    uint64_t available, own, others; /* before: what was free, and what its tasks and others had */
    uint64_t room;                   /* what there was when it was to come back */
  } parked;
  char device[GW_DEVICE_SIZE];
  char path[PATH_MAX];
  struct gw_page *next;
};

struct gw_task {
  /* Read or written by every launch. */
  struct gw_row *_Atomic row;     /* see struct gw_seat */
  _Atomic uint32_t active;        /* this process's view; other processes see the row's state */
  _Atomic uint32_t in_flight;     /* launches between gw_begin and gw_end */
  _Atomic uint64_t last_ns;       /* when a launch of the task last began or finished */
  _Atomic uint64_t seen_launches; /* the launches at that time, where ends are not reported */
  _Atomic uint64_t free_launches; /* the launches when the device was last found free */
  /* Since when the program has waited for all its work; 0: it has launched since. The time between
   * such a wait and the next launch, in all. */
  _Atomic uint64_t rest_ns, rested_ns;
  _Atomic uint64_t late;    /* launches whose work was submitted late */
  _Atomic int last_thread;  /* of the last launch; negative: an operator, with no end reported */
  _Atomic uint32_t waiting; /* of the launches in flight, those at the closed gate */

  struct gw_page *page;
  _Atomic uint64_t ticket; /* the row's, as long as the row is this task's */
  _Atomic uint64_t
      again_ns; /* the task has lost its row, and was refused another: when to try again */
  _Atomic bool left;
  _Atomic bool on_device; /* the device waits for the row's stream_gate */
  /* For launches that may get a stream gate. */
  _Atomic uint64_t seen_preemptions, preempted_until_ns;
  /* Device memory, as in the row, which the task may lose. */
  _Atomic uint64_t memory, memory_peak, memory_limit, memory_reserve, memory_total;
  struct gw_task_options options;
  char name[GW_NAME_SIZE];

  /* Used by the watcher alone. */
  uint64_t preempted_ns, held_since_ns, checked_ns;
  bool released;
  bool dozes; /* idle, although launches are in flight: their threads wait for something */
  struct gw_slack slack;
  uint64_t seen_attributes;  /* changes of the attributes, and one; 0: none read yet */
  uint64_t spent_activation; /* the activation whose slack is being spent; 0: none */

  /* Under gw_process.lock. */
  bool pinned; /* the watcher is in a function of the hook, without the lock */

  /* Used by the thread that parks. */
  uint32_t park_request; /* the row's, as last read */
  bool park_asked;       /* the row has asked to park since the process was last not parked */
  uint64_t park_gone_ns; /* when the task that needs the memory was first seen to be gone */

  struct gw_member *_Atomic member; /* of the job; NULL: of none. See gw_job_renew */
  _Atomic uint64_t collectives;     /* a row of the job that shows them may be lost */
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
  _Atomic uint32_t forks;        /* differs between a process and its forked children */
  _Atomic uint32_t lent;         /* as in the rows of its tasks */
  _Atomic bool exiting;
  _Atomic uint32_t parked; /* as in the rows of its tasks; a futex word */
  /* Threads between gw_call_begin and gw_call_end. They write it often: a cache line of its own. */
  _Alignas(GW_CACHE_LINE) _Atomic uint32_t inside;
};
extern struct gw_process gw_process;

/* The priority that counts against others: the row's own, or the higher one that it inherits. */
static inline int32_t gw_row_priority(const struct gw_row *row) {
  int32_t own = GW_READ(row->priority);
  uint32_t lent = GW_READ(row->lent);
  int32_t other = (int32_t)lent - 1 + GW_PRIORITY_MIN;
  return lent != 0 && other > own ? other : own;
}

static inline bool gw_has_flag(const struct gw_row *row, uint32_t flag) {
  return (GW_READ(row->flags) & flag) != 0;
}

/* Under the page's lock. Writes only what differs; returns whether it did. */
static inline bool gw_flag_set(struct gw_row *row, uint32_t flag, bool on) {
  if (gw_has_flag(row, flag) == on) {
    return false;
  }
  atomic_fetch_xor(&row->flags, flag);
  return true;
}

static inline uint32_t gw_rows_used(const struct gw_page *page) {
  uint32_t n = GW_READ(page->map->header.rows_used);
  return n <= GW_ROWS ? n : GW_ROWS;
}

/* A task's row at one time. Who looks at a row more than once, or sleeps on it, keeps one of these:
 * a task that has lost its row takes another, and then the old seat reads as lost, as does one that
 * was read while the task moved. */
struct gw_seat {
  struct gw_row *row;
  uint64_t ticket;
};

static inline struct gw_row *gw_row_of(const struct gw_task *task) { return GW_READ(task->row); }

/* A launch counts a second time if its work was submitted late. */
static inline uint64_t gw_launches_of(const struct gw_task *task) {
  return atomic_load(&gw_row_of(task)->launches) + atomic_load(&task->late);
}

static inline struct gw_seat gw_seat_of(const struct gw_task *task) {
  return (struct gw_seat){gw_row_of(task), GW_READ(task->ticket)};
}

/* Whether the row was given away. That happens only on a page that was tampered with. */
static inline bool gw_seat_lost(struct gw_seat seat) {
  return GW_READ(seat.row->ticket) != seat.ticket;
}

static inline bool gw_task_lost(const struct gw_task *task) {
  return gw_seat_lost(gw_seat_of(task));
}

#endif
