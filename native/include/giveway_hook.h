/* libgiveway for hooks: the functions that admit launches, and what a hook reports and queries
 * about them. As in giveway.h, no function exits or raises, and any thread may call any function.
 * The functions of a launch do nothing for a task of NULL. */
#ifndef GIVEWAY_HOOK_H
#define GIVEWAY_HOOK_H

#include <stdio.h>

#include "giveway.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the task that launches belong to ------------------------------------------------------ */

struct gw_task_options {
  const char *name; /* NULL: the program's name */
  int priority;
  int is_thread;
  /* For tasks with asynchronous launches: returns 1 while the device still works for the task, 0
   * when all work is done, -1 where the driver cannot say. The watcher's thread calls this function
   * before it makes the task idle. */
  int (*busy)(void *context);
  void *context;
  /* For tasks with a stream gate: lets the device itself open the gate. The watcher's thread calls
   * this function when the page can no longer be trusted. */
  void (*release)(void *context);
  /* For tasks with asynchronous launches: kernels of several programs run at the same time. Else
   * the device serves programs in turn. */
  int side_by_side;
};

/* Joins the page with a new task. */
GW_API int gw_join(gw_page *page, const struct gw_task_options *options, gw_task **task);
/* When a task that gw_join or gw_page_open has refused with that error may try again, on the clock
 * of gw_time; UINT64_MAX: never, because the reason does not pass. */
GW_API uint64_t gw_again_ns(int error);
/* No thread may be between gw_begin and gw_end of this task. */
GW_API void gw_leave(gw_task *task);
/* The priority that GIVEWAY_PRIORITY sets for the process's task; 0 where it sets none. */
GW_API int gw_environment_priority(void);
/* The calling thread's thread-local task on that page. The task joins on first use, with the busy
 * function of `otherwise`. Returns `otherwise` where the thread has no thread-local tasks. */
GW_API gw_task *gw_thread_task(gw_page *page, gw_task *otherwise);
/* Tells the library that this hook gates launches, and on which device. Where the device has
 * several pages, `current` returns the task to which the calling thread's launches now belong, or
 * NULL. */
GW_API void gw_set_hooked(const char *device, gw_task *(*current)(void));

/* ---- a launch ------------------------------------------------------------------------------ */

/* A synchronous launch, which runs between gw_begin and gw_end on one thread; it also ends with its
 * thread. gw_begin returns when the launch may go on: at once where the gate is open, and at once
 * where anything is wrong with the page. */
GW_API void gw_begin(gw_task *task);
GW_API void gw_end(gw_task *task);
/* An asynchronous launch: returns when the launch may be submitted. The task's busy function tells
 * whether the work is done. */
GW_API void gw_admit(gw_task *task);
/* An asynchronous launch behind a stream gate: returns without a wait, because the device itself
 * holds the launch while the gate is closed. */
GW_API void gw_admit_held(gw_task *task);
/* The work of a launch that was admitted before has been submitted only now, for its call took
 * long: the task becomes active again where it has become idle meanwhile. */
GW_API void gw_resume(gw_task *task);
/* After the admission and before the submission of a launch that waits for the other members of the
 * task's job on the device, such as NCCL's kernels: none of them is held before it has come to the
 * same one. */
GW_API void gw_collective(gw_task *task);
GW_API int gw_in_job(const gw_task *task);
/* A single-threaded operator: a launch whose end is not reported. The task stays active while the
 * calling thread keeps a core busy. */
GW_API void gw_operator(gw_task *task);
/* All work of an asynchronous task is done: linger, the idle timeout, starts now. */
GW_API void gw_rest(gw_task *task);
/* A launch of an asynchronous task that may be the first after gw_rest. */
GW_API void gw_work(gw_task *task);
/* Makes the task idle without waiting for linger. Hooks of devices use gw_rest. */
GW_API void gw_idle(gw_task *task);

/* 1: another task may hold this one: a task with a higher priority has joined, idle or active, or a
 * daemon decides and another task has joined. */
GW_API int gw_outranked(const gw_task *task);
/* 1: no other task has joined the page, as of its last transition. */
GW_API int gw_alone(const gw_task *task);

/* ---- device memory -------------------------------------------------------------------------- */

/* Of the bytes in use on the task's device, those that no other task accounts for. */
GW_API uint64_t gw_memory_unaccounted(gw_task *task, uint64_t used);
/* Tells the task and its page how much memory the device has, and sets the limit and the
 * reservation of GIVEWAY_MEMORY and GIVEWAY_RESERVE. `context`: what the process uses already.
 * Where these cannot be met, says so to the user. */
GW_API void gw_memory_begin(gw_task *task, uint64_t total, uint64_t context);
/* Counts an allocation, and returns 1. Or does not count it, and returns 0: it is beyond the task's
 * own limit; -1: other tasks have what it needs, or have reserved it. *in_use: what the task has
 * with the allocation. */
GW_API int gw_memory_take(gw_task *task, uint64_t bytes, uint64_t *in_use);
/* What gw_memory_take would return, without counting anything. */
GW_API int gw_memory_may_take(gw_task *task, uint64_t bytes);
/* What gw_memory_take has counted has been allocated: `in_use`, which it returned, counts for the
 * peak. */
GW_API void gw_memory_taken(gw_task *task, uint64_t in_use);
/* Counts what has been allocated already. */
GW_API void gw_memory_count(gw_task *task, uint64_t bytes);
/* The same has been freed, or could not be allocated. */
GW_API void gw_memory_give(gw_task *task, uint64_t bytes);

/* The device as the program is to see it. */
struct gw_memory_view {
  int shown;      /* 0: as it is */
  uint64_t total; /* the limit, or what others' reservations leave */
  uint64_t used;  /* by the task */
  uint64_t free;
};
/* task NULL: of a process that has no task on the page. `total`, `free`: as the driver has them;
 * free is UINT64_MAX where only the total is asked for. */
GW_API void gw_memory_view(gw_page *page, gw_task *task, uint64_t total, uint64_t free,
                           struct gw_memory_view *view);

/* ---- stream gates: a device that waits for a word of memory --------------------------------- */

struct gw_stream_gate {
  void *page; /* the mapping that contains the word */
  size_t page_size;
  void *word;    /* 32 bits: work goes on while word - open, as a signed number, is not negative */
  uint32_t open; /* constant while the task keeps its row */
  int preempted_lately; /* 1: the gate closed on a launch of the task in the last second */
  uint64_t closing;     /* when the gate closed; 0: the gate is open */
};
/* Describes the task's stream gate. 1: the device may wait for that word; the task's held time then
 * counts from the closing of its gate. 0: the device must not hold the task. */
GW_API int gw_stream_gate(gw_task *task, struct gw_stream_gate *gate);

/* ---- parking: device memory moves to host memory and back ----------------------------------- */

/* For a hook whose driver can do that to its own process. A thread of the library calls these
 * functions. Each returns an enum gw_park_error; with GW_PARK_DRIVER, *number is the driver's
 * error.
 */
struct gw_parker {
  uint32_t (*examine)(uint32_t *number);      /* whether the driver can do it to this program */
  uint64_t (*available)(const gw_page *page); /* free bytes on its device; UINT64_MAX: unknown */
  /* From here to unlock the driver lets calls of the process wait. GW_PARK_BUSY: the device has not
   * finished the process's work in time, and all is as before. */
  uint32_t (*lock)(uint32_t timeout_ms, uint32_t *number);
  uint32_t (*save)(uint32_t *number);
  uint32_t (*restore)(uint32_t *number);
  uint32_t (*unlock)(uint32_t *number);
};
/* An allocation of the task has failed for lack of memory, with a search of zeros. 1: a less urgent
 * task has given its memory up, so that the allocation may be tried again, and this function called
 * again if it fails again. 0: there is no such task any more. Waits for each task for a limited
 * time. gw_make_room_end follows the last call. */
struct gw_room_search {
  uint64_t asked[4]; /* a bit for each row */
  uint64_t ticket;   /* of the row that counts the search; 0: none does */
};
GW_API int gw_make_room(gw_task *task, struct gw_room_search *search);
GW_API void gw_make_room_end(gw_task *task, struct gw_room_search *search);
/* Registers the functions, before the process joins a page. */
GW_API void gw_on_park(const struct gw_parker *parker);
/* Around a call that may wait for the device and is no launch. gw_call_begin returns when the
 * process is not parked. */
GW_API void gw_call_begin(void);
GW_API void gw_call_end(void);
/* As gw_call_begin without a wait. 0: the process is parked, and no gw_call_end may follow. */
GW_API int gw_call_try(void);
/* Returns when the process is not parked. */
GW_API void gw_call_wait(void);

/* ---- priority inheritance ------------------------------------------------------------------ */

/* A thread that waits for the device lends its task's priority to every task of its process, from
 * gw_lend to gw_lend_end, because the work that the thread waits for may belong to any of them. */
struct gw_loan {
  int32_t priority, lent;
  struct gw_loan *next;
};
GW_API void gw_lend(gw_task *task, struct gw_loan *loan);
GW_API void gw_lend_end(struct gw_loan *loan);

/* ---- preemption of work that already runs --------------------------------------------------- */

/* For a hook that can stop running work. The watcher's thread calls preempt when the gate of the
 * process's task closes while launches are in flight. The threads that compute for these launches
 * then call gw_pause. In a process with several tasks preempt is not called, because one task might
 * wait for another. */
GW_API void gw_on_preempt(void (*preempt)(void));
/* Waits until the gate of the process's task is open. A signal handler may call this function. */
GW_API void gw_pause(void);

/* ---- the cpu device: which cores a task uses, and whether it computes ------------------------ */

#define GW_CORES_SIZE 16 /* words of 64 cores; a core has the number of its lowest logical CPU */

struct gw_core_use {
  uint64_t cores[GW_CORES_SIZE]; /* on which the task's threads may run */
  uint32_t width;                /* how many of them the task keeps busy at most, not 0 */
  uint32_t launches_only;        /* 1: work that runs cannot be stopped */
  uint32_t whole_process;        /* 1: the gate stops every thread of the process */
};
/* Registers a function that the watcher's thread calls whenever it looks at the process's task.
 * `held`: the task's gate is closed. The function returns 1 while the process's threads compute, 0
 * when they all wait for something. */
GW_API void gw_on_look(int (*look)(gw_task *task, uint64_t now, int held));
/* Tells other tasks what this one uses. A task of which nothing is known uses the whole device. */
GW_API void gw_use_cores(gw_task *task, const struct gw_core_use *use);
/* The same for the width alone, where it is larger than what other tasks know. */
GW_API void gw_raise_width(gw_task *task, uint32_t width);
/* 1: the gate is open for the cores that more urgent tasks leave to the task; lists these. A signal
 * handler may call this function. */
GW_API int gw_narrowed(const gw_task *task, uint64_t *cores);

/* ---- control groups ---------------------------------------------------------------------------
 */

#define GW_GROUPS "/proc/self/cgroup"
/* The least limit of the groups that a file such as GW_GROUPS names, and of the groups above them,
 * in both versions of control groups. `limit` reads that of one group's folder below the mount;
 * UINT64_MAX: none. groups NULL: there are none. mount NULL: GIVEWAY_CGROUP, or where it usually
 * is. */
GW_API uint64_t gw_least_in_groups(FILE *groups, const char *mount, const char *controller,
                                   uint64_t (*limit)(const char *folder, int unified));

/* ---- warnings and traces ------------------------------------------------------------------- */

/* Prints the only line that a process under giveway may print. Later calls print nothing. */
GW_API void gw_warn(const char *text);
/* As gw_warn, for a device whose page cannot be used. */
GW_API void gw_warn_page(int error, const char *device);
/* Registers a function for exit, where GIVEWAY_TRACE is set. write adds members to a JSON object,
 * each after a comma. write(NULL) returns whether there are any. */
GW_API void gw_on_trace(int (*write)(FILE *));
/* Writes the text as a JSON string. */
GW_API void gw_write_json(FILE *file, const char *text);

#ifdef __cplusplus
}
#endif
#endif
