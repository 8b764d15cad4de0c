/* What the files of libgiveway share; nothing outside sees it. */
#ifndef GIVEWAY_INTERNAL_H
#define GIVEWAY_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "clock.h"
#include "gate_page.h"
#include "giveway.h"

#define GW_LIKELY(x) __builtin_expect(!!(x), 1)
#define GW_DEVICE_SIZE 64
#define GW_MS INT64_C(1000000) /* nanoseconds */

struct gw_page {
  struct gw_page_layout *map;
  int fd;
  dev_t filesystem;
  ino_t inode;
  _Atomic int broken; /* 0, or the enum gw_error for which it is no longer trusted */
  atomic_flag reopening;
  _Atomic uint32_t lock_failures; /* in a row: its holder does not move */
  _Atomic uint64_t lock_again_ns; /* until then no launch of ours waits for the lock */
  _Atomic bool deciding;          /* this process is its daemon */
  struct gw_seen *seen;           /* what the daemon knows of it */
  char device[GW_DEVICE_SIZE];
  char path[PATH_MAX];
  struct gw_page *next;
};

struct gw_task {
  /* Read or written by every launch. */
  struct gw_row *row;
  _Atomic uint32_t active;    /* this process's view; the row's state is what others see */
  _Atomic uint32_t in_flight; /* launches between gw_begin and gw_end */
  _Atomic uint64_t last_ns;   /* when something of it last began or finished */
  _Atomic int last_thread;    /* that launched last; negative: an operator, with no end reported */
  _Atomic uint32_t waiting;   /* of those in flight, at the closed gate */

  struct gw_page *page;
  _Atomic uint64_t ticket; /* the row's, while it is ours */
  _Atomic bool left;
  _Atomic bool on_device; /* its device waits for the row's stream_gate */
  _Atomic uint64_t seen_preemptions, preempted_until_ns; /* by launches that may get such a gate */
  struct gw_task_options options;
  char name[GW_NAME_SIZE];

  /* The watcher's own. */
  uint64_t seen_launches, preempted_ns, held_since_ns, checked_ns;
  bool released;

  struct gw_task *next;
  struct gw_task *sibling; /* the same thread's, on another page */
  bool leaving;            /* under gw_process.lock: leaves as soon as it is idle */
};

/* One for each process; fork gives the child a fresh one. */
struct gw_process {
  pthread_mutex_t lock; /* guards the lists and joining; taken before a page's lock */
  struct gw_page *pages;
  struct gw_task *tasks;
  _Atomic uint32_t task_count;
  _Atomic uint32_t thread_count; /* of these, tasks of single threads */
  _Atomic uint64_t owner;        /* random, never 0 once set */
  _Atomic uint32_t lent;         /* as in its tasks' rows */
  _Atomic bool exiting;
};
extern struct gw_process gw_process;

struct gw_settings {
  uint64_t linger_ns;
  uint64_t max_wait_ns; /* 0: a held task waits for as long as it takes */
  uint64_t quantum_ns;
};
const struct gw_settings *gw_settings(void);

/* What counts against others: its own priority, or the higher one that it was lent. */
static inline int32_t gw_row_priority(const struct gw_row *row) {
  int32_t own = atomic_load_explicit(&row->priority, memory_order_relaxed);
  uint32_t lent = atomic_load_explicit(&row->lent, memory_order_relaxed);
  int32_t other = (int32_t)lent - 1 + GW_PRIORITY_MIN;
  return lent != 0 && other > own ? other : own;
}

/* warn.c */
void gw_warn_ungated(int error, const char *path);
int gw_fail(int error, int system_error); /* remembers errno for gw_error_errno, gives error */

/* page.c */
uint32_t gw_rows_used(const struct gw_page *page);
int gw_page_distrust(struct gw_page *page, int error);

/* guard.c: a page that shrinks under its mapping is replaced by zeros instead of a SIGBUS */
void gw_guard_page(struct gw_page *page);
void gw_unguard_page(struct gw_page *page);

/* lock.c */
int gw_page_lock(struct gw_page *page);           /* on a launch's path: gives up soon */
int gw_page_lock_patiently(struct gw_page *page); /* where somebody asked for something */
void gw_page_unlock(struct gw_page *page);
int gw_lock_init(pthread_mutex_t *lock);
bool gw_lock_is_sane(const pthread_mutex_t *lock);

/* liveness.c */
int gw_row_claim(struct gw_page *page, uint32_t row);
void gw_row_release(struct gw_page *page, uint32_t row);
bool gw_row_alive(struct gw_page *page, uint32_t row);
int gw_decider_claim(struct gw_page *page);
void gw_decider_release(struct gw_page *page);
bool gw_decider_alive(struct gw_page *page);

/* gate.c: under the page's lock */
void gw_gates_apply(struct gw_page *page, uint64_t now); /* without saying that all this was */
void gw_gates_update(struct gw_page *page, uint64_t now);
void gw_gates_turn(struct gw_page *page, struct gw_row *first, uint64_t now); /* a quantum */
void gw_row_free(struct gw_row *row);
int gw_reap_dead(struct gw_page *page);

/* decider.c: who decides about the gates */
bool gw_daemon_decides(const struct gw_page *page, uint64_t now);
/* Where the gates are still as a daemon wanted them that is no more, opens and closes them by
 * priority. */
void gw_daemon_check(struct gw_page *page, uint64_t now);

/* attributes.c: under the page's lock */
void gw_attributes_put(struct gw_page *page, uint32_t row, const char *text);

/* wait.c */
void gw_begin_slow(struct gw_task *task);
bool gw_begin_held(struct gw_task *task); /* the same, but for the wait; false: it is ungated. Where
                                           * the page's lock cannot be had the task stays idle. */
/* What a held task needs now and then: are its holders alive, is a quantum due? How long to sleep
 * before the next look, 0: it is not held (any more). */
uint64_t gw_look_after(struct gw_task *task, uint64_t now, bool waited);
void gw_pause_task(struct gw_task *task);

/* stream_gate.c: the same for work that waits on its device, by the watcher. When it has to look
 * again, in nanoseconds from now; 0: nothing is held. */
uint64_t gw_look_after_device(struct gw_task *task, uint64_t now);
void gw_lost_on_device(struct gw_task *task); /* its row is somebody else's, or nonsense */

/* task.c */
int gw_rejoin(struct gw_task *task);
bool gw_task_lost(const struct gw_task *task);
extern _Atomic(void (*)(void)) gw_preempt; /* NULL where what runs cannot be stopped */

void gw_leave_when_idle(struct gw_task *task); /* at once, unless its device still works for it */
bool gw_sweep(void); /* under gw_process.lock: frees those that waited; true: look again soon */
struct gw_task *gw_process_task(void); /* NULL before it joined */

/* trace.c */
void gw_trace_leave(struct gw_task *task);
void gw_trace_write(void);

/* In a forked child. */
void gw_own_forget(void);
void gw_lend_forget(void);
void gw_trace_forget(void);

/* activity.c */
void gw_activate(struct gw_task *task);
bool gw_deactivate(struct gw_task *task, uint64_t launches);

/* watcher.c */
int gw_watcher_start(void);
void gw_watcher_wake(void);  /* if it sleeps without a time limit: a task is active */
void gw_watcher_rouse(void); /* in any case: a quantum has begun */
void gw_watcher_forget(void);

/* futex.c: every wait that has a time limit */
int gw_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns, bool shared);
int gw_lock_within(pthread_mutex_t *lock, uint64_t wait_ns);
void gw_futex_wake(_Atomic uint32_t *word, bool shared);

/* gil.c: may the calling thread sleep without stopping the other tasks of its process? */
bool gw_may_wait(void);

#endif
