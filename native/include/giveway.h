/* libgiveway for programs and observers: the gate page of a device, the tasks on it, and tasks of
 * one's own. giveway_hook.h is for hooks, which admit launches.
 *
 * No function exits, raises, or prints more than one line in the life of a process. Functions that
 * return int return 0 or a negative enum gw_error; gw_error_text says it in words.
 * Times are nanoseconds of CLOCK_MONOTONIC. Every function may be called from any thread.
 */
#ifndef GIVEWAY_H
#define GIVEWAY_H

#include <stddef.h>
#include <stdint.h>

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
  uint32_t gate_closed; /* 1: by priority, a turn of another task, a pause, or the daemon */
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
  uint64_t stopped_ns; /* when the work that ran as the gate closed was seen stopped; 0: never */
  char name[48];
  char device[64]; /* the page's name */
};

/* ---- the page ------------------------------------------------------------------------------ */

/* Path of a device's page: $GIVEWAY_DIR or /dev/shm/giveway-UID, then DEVICE.page. */
GW_API int gw_page_path(const char *device, char *path, size_t size);
/* Maps the page of a device, once in a process. create = 0: GW_E_NO_PAGE where there is none. */
GW_API int gw_page_open(const char *device, int create, gw_page **page);
/* Checks the page as it is now: GW_OK, or the reason why it cannot be trusted. */
GW_API int gw_page_check(gw_page *page);
GW_API const char *gw_error_text(int error);
/* The last system errno behind an error of the calling thread, 0 if none. */
GW_API int gw_error_errno(void);

/* ---- observers ----------------------------------------------------------------------------- */

/* Fills infos with the live tasks; dead ones are reaped first. Their number, or an error. */
GW_API int gw_tasks(gw_page *page, struct gw_task_info *infos, int capacity);
/* Takes effect on the task's next launch. */
GW_API int gw_set_priority(gw_page *page, uint64_t ticket, int priority);

/* What users say about a task, for policies: words such as deadline=20ms, with spaces between.
 * GIVEWAY_ATTRIBUTES sets those of a process's own tasks. At most 247 bytes, else GW_E_ARGUMENT. */
GW_API int gw_set_attributes(gw_page *page, uint64_t ticket, const char *text);
GW_API int gw_attributes(gw_page *page, uint64_t ticket, char *text, size_t size);

/* ---- the daemon --------------------------------------------------------------------------------
 *
 * One process may decide which gates of a page are open, instead of the tasks' priorities. It sends
 * a heartbeat every 100 ms. After 250 ms without one, or when it dies, priorities decide again.
 */

/* The calling process decides from now on; gates stay as they are. GW_E_TAKEN: another one does. */
GW_API int gw_decider_take(gw_page *page);
GW_API void gw_decider_leave(gw_page *page);
/* The heartbeat; also reaps the rows of dead tasks. */
GW_API int gw_decider_beat(gw_page *page);
/* The pid of the process that decides, in its own PID namespace; 0: priorities decide. */
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
  int32_t priority; /* the one that counts: its own, or a higher one that it inherits */
  uint32_t reserved;
};
/* What has changed since the last call of the process that decides; how many rows, at most one
 * change for each. With a capacity of 256 nothing is left for the next call. */
GW_API int gw_changes(gw_page *page, struct gw_change *changes, int capacity);
GW_API int gw_task_at(gw_page *page, uint32_t row, uint64_t ticket, struct gw_task_info *info);

/* Sets the gates of `count` tasks: 0 open, 1 closed, 2 closed and not opened by max_wait. Tasks
 * that have left are passed over. */
GW_API int gw_decide(gw_page *page, const uint64_t *tickets, const uint32_t *rows,
                     const uint32_t *gates, int count);
/* Of all tasks that gw_changes has reported, opens the gates of these and closes those of the
 * others. A gate that gw_decide has set to 2 stays as it is. */
GW_API int gw_decide_only(gw_page *page, const uint64_t *tickets, const uint32_t *rows, int count);

/* ---- the calling thread -------------------------------------------------------------------- */

/* The calling thread's task: its own (gw_enter), else the process's, which joins on first use with
 * what GIVEWAY_PRIORITY, GIVEWAY_NAME and the device say. NULL: run ungated. */
GW_API gw_task *gw_current(const char *device);
/* As gw_current, but joins nothing. */
GW_API gw_task *gw_peek(void);
GW_API int gw_task_describe(gw_task *task, struct gw_task_info *info);
/* Gives the calling thread tasks of its own until the matching gw_exit; calls nest. Where a hook
 * knows the pages of the device, the thread joins each page at its first launch there. */
GW_API int gw_enter(const char *device, const char *name, int priority, gw_own **own);
/* A task whose device still works for it leaves when that work is done. */
GW_API void gw_exit(gw_own *own);

/* ---- this build ---------------------------------------------------------------------------- */

GW_API const char *gw_version(void);
/* 1 where a hook that gates launches (giveway run) is in this process. */
GW_API int gw_hooked(void);

#ifdef __cplusplus
}
#endif
#endif
