/* libgiveway for hooks: what admits launches, and what a hook says and asks about them. As in
 * giveway.h, no function exits or raises, and any thread may call it. A task of NULL is allowed in
 * the functions of a launch, which then do nothing. */
#ifndef GIVEWAY_HOOK_H
#define GIVEWAY_HOOK_H

#include <stdio.h>

#include "giveway.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the task that launches belong to ------------------------------------------------------ */

struct gw_task_options {
  const char *name; /* NULL: the program's */
  int priority;
  int is_thread;
  /* For tasks whose launches are asynchronous: 1 while the device still works for the task, 0 when
   * all is done, -1 where the driver cannot say. The watcher's thread calls it before it makes the
   * task idle. */
  int (*busy)(void *context);
  void *context;
  /* For tasks with a stream gate: opens the gate by way of the device. The watcher's thread calls
   * it when the page cannot be trusted any more. */
  void (*release)(void *context);
};

GW_API int gw_join(gw_page *page, const struct gw_task_options *options, gw_task **task);
/* No thread may be between gw_begin and gw_end of this task. */
GW_API void gw_leave(gw_task *task);
/* The priority that GIVEWAY_PRIORITY sets for the process's task; 0 where it sets none. */
GW_API int gw_environment_priority(void);
/* The thread-local task on that page, which joins on first use with the busy function of
 * `otherwise`; `otherwise` where the thread has none there. */
GW_API gw_task *gw_thread_task(gw_page *page, gw_task *otherwise);
/* Tells the library that this hook gates launches, and on which device. Where the device has
 * several pages, `current` returns the task that launches of the calling thread belong to now;
 * NULL: none. */
GW_API void gw_set_hooked(const char *device, gw_task *(*current)(void));

/* ---- a launch ------------------------------------------------------------------------------ */

/* A launch that returns when it is done. gw_begin returns when the launch may go on: at once where
 * the gate is open, or where anything at all is wrong. */
GW_API void gw_begin(gw_task *task);
GW_API void gw_end(gw_task *task);
/* An asynchronous launch: returns when the launch may be submitted. Whether its work is done, busy
 * says. */
GW_API void gw_admit(gw_task *task);
/* The same, without a wait, for a launch that the device itself holds while the gate is closed. */
GW_API void gw_admit_held(gw_task *task);
/* A launch whose end nobody reports, a single-threaded operator: the task stays active while the
 * calling thread keeps a core busy. */
GW_API void gw_operator(gw_task *task);
/* All work of an asynchronous task is done: linger, the idle timeout, counts from now. */
GW_API void gw_rest(gw_task *task);
/* The task has nothing to run for a while: it becomes idle without waiting for linger. */
GW_API void gw_idle(gw_task *task);

/* 1: the task may have to give way: a task with a higher priority has joined, idle or not, or a
 * daemon decides and another task has joined. */
GW_API int gw_outranked(const gw_task *task);
/* 1: no other task has joined the page, as of its last transition. */
GW_API int gw_alone(const gw_task *task);

/* ---- stream gates: a device that waits for a word of memory --------------------------------- */

struct gw_stream_gate {
  void *page; /* the mapping that the word is in */
  size_t page_size;
  void *word;    /* 32 bits: work goes on while the word less `open`, as signed, is not negative */
  uint32_t open; /* as long as the task keeps its row */
  int preempted_lately; /* 1: in the last second a launch found that its gate had closed on it */
  uint64_t closing;     /* since when the gate is closed; 0: the gate is open */
};
/* 1: the device may wait for that word, and the task's held time counts from when its gate closes.
 * 0: the device must not hold the task. */
GW_API int gw_stream_gate(gw_task *task, struct gw_stream_gate *gate);

/* ---- priority inheritance ------------------------------------------------------------------ */

/* A thread that waits for the device lends its task's priority to every task of its process, from
 * gw_lend to gw_lend_end: the work that it waits for may be theirs. */
struct gw_loan {
  int32_t priority, lent;
  struct gw_loan *next;
};
GW_API void gw_lend(gw_task *task, struct gw_loan *loan);
GW_API void gw_lend_end(struct gw_loan *loan);

/* ---- preemption of work that already runs --------------------------------------------------- */

/* For a hook that can stop running work. The watcher's thread calls preempt when the gate of the
 * process's own task closes while launches are in flight; the threads that compute for these
 * launches then call gw_pause. Not in a process with several tasks, where one task might wait for
 * another. */
GW_API void gw_on_preempt(void (*preempt)(void));
/* Returns when the gate of the process's own task is open: at once, or after a while. May be called
 * in a signal handler. */
GW_API void gw_pause(void);

/* ---- warnings and traces ------------------------------------------------------------------- */

/* Prints the one line that a process under giveway may print, unless it has printed one. */
GW_API void gw_warn(const char *text);
/* The same for the page of a device that cannot be used. */
GW_API void gw_warn_page(int error, const char *device);
/* At exit, where GIVEWAY_TRACE is set, write adds members to a JSON object, each after a comma.
 * With NULL it returns whether it has any. */
GW_API void gw_on_trace(int (*write)(FILE *));
/* Writes the text as a JSON string. */
GW_API void gw_write_json(FILE *file, const char *text);

#ifdef __cplusplus
}
#endif
#endif
