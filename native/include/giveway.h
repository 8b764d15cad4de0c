/* libgiveway: the gate page of one device, and the tasks of this process on it.
 *
 * Nothing here exits, raises, or prints more than one line in the life of a process. Functions that
 * return int give 0 or a negative enum gw_error; gw_error_text says it in words.
 * Times are nanoseconds of CLOCK_MONOTONIC. Every function may be called from any thread.
 */
#ifndef GIVEWAY_H
#define GIVEWAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GW_API __attribute__((visibility("default")))

enum gw_error {
  GW_OK = 0,
  GW_E_DIRECTORY = -1,  /* the page directory cannot be made or is not ours alone */
  GW_E_ACCESS = -2,     /* the page cannot be opened for reading and writing */
  GW_E_SPACE = -3,      /* no room for the page */
  GW_E_SIZE = -4,       /* the file is shorter than a page */
  GW_E_MAGIC = -5,      /* not a gate page, or a damaged one */
  GW_E_VERSION = -6,    /* a page of another giveway version */
  GW_E_FULL = -7,       /* every row is taken */
  GW_E_LOCK = -8,       /* the page's lock could not be had in time, or is damaged */
  GW_E_NO_PAGE = -9,    /* there is no page yet: nothing has run on this device */
  GW_E_NO_TASK = -10,   /* no such task (any more) */
  GW_E_ARGUMENT = -11,  /* priority out of range, bad device name */
  GW_E_RESOURCES = -12, /* out of memory, threads or file descriptors */
  GW_E_DELETED = -13,   /* the page's file was deleted while in use */
  GW_E_TAKEN = -14,     /* another process decides about its gates */
};

typedef struct gw_page gw_page;
typedef struct gw_task gw_task;
typedef struct gw_own gw_own;

/* What an observer sees of one task. */
struct gw_task_info {
  uint64_t ticket; /* identifies the task on its page */
  uint32_t row;
  uint32_t pid;
  int32_t priority;
  uint32_t active;      /* 1: has work */
  uint32_t gate_closed; /* 1: outranked */
  uint32_t is_thread;   /* 1: a thread's own task */
  uint32_t mine;        /* 1: belongs to the calling process */
  uint32_t waiters;     /* threads asleep at the closed gate */
  uint64_t launches;
  uint64_t operators;
  uint64_t held;
  uint64_t held_ns;
  uint64_t preemptions;
  uint64_t joined_ns;
  uint64_t closed_ns;  /* when its gate last closed, or when it last became active */
  uint64_t stopped_ns; /* when what ran as the gate closed was seen stopped; 0: never */
  char name[48];
  char device[64]; /* the page's name */
};

/* ---- the page ------------------------------------------------------------------------------ */

/* Path of a device's page: $GIVEWAY_DIR or /dev/shm/giveway-UID, then DEVICE.page. */
GW_API int gw_page_path(const char *device, char *path, size_t size);
/* Maps the page of a device, once in a process. create = 0: GW_E_NO_PAGE where there is none. */
GW_API int gw_page_open(const char *device, int create, gw_page **page);
/* Checks the page as it is now: GW_OK, or why it cannot be trusted. */
GW_API int gw_page_check(gw_page *page);
GW_API const char *gw_error_text(int error);
/* The last system errno behind an error of the calling thread, 0 if none. */
GW_API int gw_error_errno(void);

/* ---- observers ----------------------------------------------------------------------------- */

/* Fills infos with the live tasks (dead ones are reaped first); their number, or an error. */
GW_API int gw_tasks(gw_page *page, struct gw_task_info *infos, int capacity);
/* Takes effect on the task's next launch. */
GW_API int gw_set_priority(gw_page *page, uint64_t ticket, int priority);

/* What users say about a task, for policies: words such as deadline=20ms, with spaces between.
 * GIVEWAY_ATTRIBUTES gives those of a process's own tasks. At most 247 bytes, else GW_E_ARGUMENT.
 */
GW_API int gw_set_attributes(gw_page *page, uint64_t ticket, const char *text);
GW_API int gw_attributes(gw_page *page, uint64_t ticket, char *text, size_t size);

/* ---- the daemon --------------------------------------------------------------------------------
 *
 * One process may decide which gates of a page are open, instead of the tasks' priorities. It says
 * every 100 ms that it lives. When it has not for 250 ms, or has died, priorities decide again.
 */

/* The calling process decides from now on; gates stay as they are. GW_E_TAKEN: another one does. */
GW_API int gw_decider_take(gw_page *page);
GW_API void gw_decider_leave(gw_page *page);
/* Says that it lives, and takes the rows of dead tasks away. */
GW_API int gw_decider_beat(gw_page *page);
/* The pid of the process that decides, as its own PID namespace has it; 0: priorities do. */
GW_API int gw_decider(gw_page *page);
/* For the process that decides, a descriptor that is readable after transitions, until gw_changes
 * is called. From then on a thread of the library waits for them. */
GW_API int gw_events_fd(gw_page *page, int *fd);

enum gw_change_flags {
  GW_LEFT = 1 << 0,          /* the task `left` */
  GW_JOINED = 1 << 1,        /* the task `ticket`, as all that follows */
  GW_CHANGED = 1 << 2,       /* its priority or its attributes */
  GW_BECAME_IDLE = 1 << 3,   /* followed by GW_BECAME_ACTIVE: both, in this order */
  GW_BECAME_ACTIVE = 1 << 4, /* */
};
struct gw_change {
  uint64_t ticket;
  uint64_t left;
  uint32_t row;
  uint32_t flags;   /* enum gw_change_flags, in the order in which they happened */
  int32_t priority; /* the one that counts: its own, or a higher one that it was lent */
  uint32_t reserved;
};
/* What has changed since the last call of the process that decides; how many rows, at most one
 * change for each. With a capacity of 256 nothing is left for the next call. */
GW_API int gw_changes(gw_page *page, struct gw_change *changes, int capacity);
GW_API int gw_task_at(gw_page *page, uint32_t row, uint64_t ticket, struct gw_task_info *info);

/* Sets the gates of `count` tasks: 0 open, 1 closed, 2 closed and max_wait does not open it. Those
 * that have left are passed over. */
GW_API int gw_decide(gw_page *page, const uint64_t *tickets, const uint32_t *rows,
                     const uint32_t *gates, int count);
/* Of all tasks that gw_changes has told of, opens the gates of these and closes the others'. Where
 * gw_decide has said 2, it stays. */
GW_API int gw_decide_only(gw_page *page, const uint64_t *tickets, const uint32_t *rows, int count);

/* ---- tasks of this process ----------------------------------------------------------------- */

struct gw_task_options {
  const char *name; /* NULL: the program's */
  int priority;
  int is_thread;
  /* For tasks whose launches are asynchronous: 1 while the device still works for the task, -1
   * where that cannot be told. Asked by the watcher's thread before the task is taken for idle. */
  int (*busy)(void *context);
  void *context;
  /* For tasks with a stream gate: called by the watcher's thread when the page cannot be trusted
   * any more, to open the gate by way of the device. */
  void (*release)(void *context);
};

GW_API int gw_join(gw_page *page, const struct gw_task_options *options, gw_task **task);
/* The priority that GIVEWAY_PRIORITY gives a process's task; 0 where it gives none. */
GW_API int gw_environment_priority(void);
/* No thread may be inside gw_begin ... gw_end of this task. */
GW_API void gw_leave(gw_task *task);
/* A launch: gw_begin returns when it may go on (at once where the gate is open or anything at all
 * is wrong); gw_end says that it has finished. NULL is allowed and does nothing. */
GW_API void gw_begin(gw_task *task);
GW_API void gw_end(gw_task *task);
/* An asynchronous launch: returns when it may be submitted. busy says when its device is done. */
GW_API void gw_admit(gw_task *task);
/* The same for a launch that its device holds for as long as the gate is closed: does not wait. */
GW_API void gw_admit_held(gw_task *task);
/* 1: another task with a higher priority has joined, so that this one may have to give way. */
GW_API int gw_outranked(const gw_task *task);
/* 1: no other task has joined its page, as far as it knows one. */
GW_API int gw_alone(const gw_task *task);
/* For hooks that can make a device wait for memory: what it has to wait for. 1, and the task's held
 * time counts from when its gate closes, or 0 where the task must not be held there. */
struct gw_stream_gate {
  void *page; /* what the word is in: the whole mapping */
  size_t page_size;
  void *word;    /* 32 bits: work goes on while the word less `open`, as signed, is not negative */
  uint32_t open; /* as long as the task keeps its row */
  int preempted_lately; /* 1: in the last second a launch found that its gate had closed on it */
  uint64_t closing;     /* since when the gate is closed; 0: it is open */
};
GW_API int gw_stream_gate(gw_task *task, struct gw_stream_gate *gate);
/* A launch whose end nobody reports, a single-threaded operator: the task stays active while the
 * calling thread keeps a core busy. */
GW_API void gw_operator(gw_task *task);
/* Says that the task has nothing to run now, without waiting for linger. */
GW_API void gw_idle(gw_task *task);
GW_API int gw_task_describe(gw_task *task, struct gw_task_info *info);

/* ---- the calling thread -------------------------------------------------------------------- */

/* The calling thread's task: its own (gw_enter), else the process's, which is joined on first use
 * with what GIVEWAY_PRIORITY, GIVEWAY_NAME and the device say. NULL: run ungated. */
GW_API gw_task *gw_current(const char *device);
/* As gw_current, but joins nothing. */
GW_API gw_task *gw_peek(void);
/* Gives the calling thread tasks of its own until the matching gw_exit; calls nest. Where a hook
 * knows the device's pages, it joins each at its first launch there. */
GW_API int gw_enter(const char *device, const char *name, int priority, gw_own **own);
/* A task whose device still works for it leaves when that is over. */
GW_API void gw_exit(gw_own *own);
/* For hooks: the calling thread's own task on that page, with the busy of the one given; else the
 * one given. */
GW_API gw_task *gw_thread_task(gw_page *page, gw_task *otherwise);

/* A wait for the device, on behalf of that task: until gw_lend_end every task of this process
 * counts as at least as urgent. */
struct gw_loan {
  int32_t priority, lent;
  struct gw_loan *next;
};
GW_API void gw_lend(gw_task *task, struct gw_loan *loan);
GW_API void gw_lend_end(struct gw_loan *loan);

/* ---- work that already runs --------------------------------------------------------------------
 */

/* For a hook that can stop it: preempt is called, by the watcher's thread, when the gate of the
 * process's own task closes while launches are in flight. The threads that compute for them then
 * call gw_pause. Not in a process with several tasks, where one might wait for another. */
GW_API void gw_on_preempt(void (*preempt)(void));
/* Returns when the gate of the process's own task is open: at once, or after a while. May be called
 * in a signal handler. */
GW_API void gw_pause(void);

/* ---- this build ---------------------------------------------------------------------------- */

GW_API const char *gw_version(void);
/* For hooks: the one line that a process under giveway prints, unless it has printed one. */
GW_API void gw_warn(const char *text);
/* For hooks: gw_warn, for the page of a device that cannot be used. */
GW_API void gw_warn_page(int error, const char *device);
/* For hooks: at exit, where GIVEWAY_TRACE asks for it, adds members to a JSON object, each after a
 * comma; with NULL, says whether it has any. */
GW_API void gw_on_trace(int (*write)(FILE *));
/* A JSON string. */
GW_API void gw_write_json(FILE *file, const char *text);
/* 1 where a hook that gates launches (giveway run) is in this process. */
GW_API int gw_hooked(void);
/* For hooks: says so, and of which device. current, where the device has several pages: the task
 * that launches of the calling thread would belong to now, NULL for none. */
GW_API void gw_set_hooked(const char *device, gw_task *(*current)(void));

#ifdef __cplusplus
}
#endif
#endif
