/* libgiveway for programs and observers: the gate page of a device, the tasks on the page, and
 * thread-local tasks. Hooks, which admit launches, use giveway_hook.h as well.
 *
 * No function exits, raises, or prints more than one line in the life of a process. A function that
 * returns int returns 0 or a negative enum gw_error unless it says otherwise; gw_error_text returns
 * the error in words. Times are nanoseconds on the clock of gw_time. Any thread may call any
 * function.
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
  GW_E_DIRECTORY = -1,     /* the page directory cannot be made, or is not this user's alone */
  GW_E_ACCESS = -2,        /* the page cannot be opened for reading and writing */
  GW_E_SPACE = -3,         /* no room for the page */
  GW_E_SIZE = -4,          /* the file is shorter than a page */
  GW_E_MAGIC = -5,         /* not a gate page, or a damaged one */
  GW_E_VERSION = -6,       /* a page of another giveway version */
  GW_E_FULL = -7,          /* every row is taken */
  GW_E_LOCK = -8,          /* the page's lock was not free in time, or is damaged */
  GW_E_NO_PAGE = -9,       /* there is no page yet: nothing has run on this device */
  GW_E_NO_TASK = -10,      /* no such task, or the task has left */
  GW_E_ARGUMENT = -11,     /* priority out of range, bad device name */
  GW_E_RESOURCES = -12,    /* out of memory, threads or file descriptors */
  GW_E_DELETED = -13,      /* the page's file was deleted while in use */
  GW_E_TAKEN = -14,        /* another process decides about the page's gates */
  GW_E_NO_GROUP = -15,     /* GIVEWAY_SHARED names no group */
  GW_E_NOT_A_MEMBER = -16, /* this user is not a member of the group that GIVEWAY_SHARED names */
  GW_E_NOT_SHARED = -17    /* the page directory is not that group's, or not of mode 2770 */
};

typedef struct gw_page gw_page;
typedef struct gw_task gw_task;
typedef struct gw_own gw_own;

/* What the gate of a task stops. */
enum gw_gate_kind {
  GW_STOPS_REGIONS = 0,   /* OpenMP regions, also those that run */
  GW_STOPS_OPERATORS = 1, /* single-threaded operators, each before it begins */
  GW_STOPS_PROCESS = 2,   /* every thread of the process */
  GW_STOPS_LAUNCHES = 3,  /* launches, before they begin; not what runs */
  GW_STOPS_DEVICE = 4,    /* what the task submits to a GPU */
};

/* One task, for observers. */
struct gw_task_info {
  uint64_t ticket; /* identifies the task on its page */
  uint32_t row;
  uint32_t pid;
  int32_t priority;
  uint32_t active;      /* 1: has work in flight, or had some less than linger ago */
  uint32_t gate_closed; /* 1: a priority, a turn of another task, a pause or the daemon closed it */
  uint32_t is_thread;   /* 1: a thread-local task */
  uint32_t mine;        /* 1: belongs to the calling process */
  uint32_t waiters;     /* threads asleep at the gate; may be off where a task lost its row */
  uint32_t gate_kind;   /* enum gw_gate_kind */
  uint32_t width;       /* cores that the task keeps busy at most; 0: the whole device */
  uint64_t launches;
  uint64_t operators;
  uint64_t held;
  uint64_t held_ns;
  uint64_t preemptions;
  uint64_t joined_ns;
  uint64_t closed_ns; /* when the gate last closed, or when the task last became active */
  uint64_t
      stopped_ns; /* when the work that ran at that closing was seen to have stopped; 0: never */
  /* Slack: 0 where the task tolerates no slowdown. Ratios are in millionths. */
  uint32_t slack_verdict;   /* 1: slowdown not known; 2: within the tolerance; 3: beyond it */
  uint32_t slack_tolerance; /* the slowdown that the task tolerates */
  uint32_t slack_speed;     /* beside others, of that without, and one; 0: not known */
  uint32_t reserved0;
  int64_t slack_credit_ns; /* the delay that is tolerated and has not happened */
  uint64_t beside_ns;      /* time with work while less urgent tasks ran */
  uint64_t contended_ns;   /* time with work while less urgent tasks had work */
  uint64_t pid_namespace;  /* in which pid is valid: its inode in /proc/PID/ns; 0: unknown */
  uint64_t memory;         /* bytes of device memory in use */
  uint64_t memory_peak;
  uint64_t memory_limit;   /* 0: none */
  uint64_t memory_reserve; /* 0: none */
  uint32_t counts_memory;  /* 1: the device is one whose hook counts memory */
  uint32_t can_park;       /* 1: the task's process takes requests to park */
  uint32_t parkable;       /* 1: other tasks that need memory may park it */
  uint32_t parked;      /* 0: not; 1: its work ends; 2: it is saved; 3: parked; 4: it is restored */
  uint32_t park_error;  /* enum gw_park_error of the last request; 0 until it is answered */
  uint32_t park_number; /* the driver's error of that request */
  uint64_t park_room;   /* bytes that there were, where they did not suffice */
  char name[48];
  char device[64]; /* the page's name */
  char job[64];    /* of which the task's process is a member; empty: of none */
};

/* ---- the page ------------------------------------------------------------------------------ */

/* The path of a device's page: $GIVEWAY_DIR or /dev/shm/giveway-UID, then DEVICE.page. */
GW_API int gw_page_path(const char *device, char *path, size_t size);
/* Maps the page of a device; later calls in the process return the same page. create = 0:
 * GW_E_NO_PAGE where the page does not exist. */
GW_API int gw_page_open(const char *device, int create, gw_page **page);
/* Checks the page as it is now: GW_OK, or the reason why it cannot be trusted. */
GW_API int gw_page_check(gw_page *page);
GW_API const char *gw_error_text(int error);
/* The system's errno behind the calling thread's last error; 0: none. */
GW_API int gw_error_errno(void);

/* ---- observers ----------------------------------------------------------------------------- */

/* Reaps the rows of dead tasks, and fills infos with the live ones. Returns the number of tasks, or
 * an error. */
GW_API int gw_tasks(gw_page *page, struct gw_task_info *infos, int capacity);
/* Takes effect on the task's next launch. */
GW_API int gw_set_priority(gw_page *page, uint64_t ticket, int priority);

/* A task's attributes, which users state for policies: words such as deadline=20ms, separated by
 * spaces. GIVEWAY_ATTRIBUTES sets the attributes of the tasks that a process joins. At most 247
 * bytes, else GW_E_ARGUMENT. */
GW_API int gw_set_attributes(gw_page *page, uint64_t ticket, const char *text);
GW_API int gw_attributes(gw_page *page, uint64_t ticket, char *text, size_t size);

/* Limits the task's device memory, from its next allocation on; 0: no limit. */
GW_API int gw_set_memory_limit(gw_page *page, uint64_t ticket, uint64_t bytes);
/* What the device's programs have learned about it, in bytes; 0: nothing yet. */
struct gw_device_memory {
  uint64_t total;
  uint64_t context; /* the most that a program's context took */
};
GW_API int gw_device_memory(gw_page *page, struct gw_device_memory *memory);
/* ---- parking -----------------------------------------------------------------------------------
 *
 * The process of a task moves its device memory to host memory and back, on request. A request is
 * carried out by that process; struct gw_task_info tells how far it has come.
 */

enum gw_park_error {
  GW_PARK_OK = 0,
  GW_PARK_BUSY = 1,           /* the device did not finish the process's work in time */
  GW_PARK_FORBIDDEN = 2,      /* the system does not permit it */
  GW_PARK_UNSUPPORTED = 3,    /* the driver cannot do it to this program */
  GW_PARK_MANAGED = 4,        /* the program has managed memory */
  GW_PARK_SHARED = 5,         /* the program shares device memory with other processes */
  GW_PARK_JOB = 6,            /* the program is a member of a job */
  GW_PARK_NO_HOST_MEMORY = 7, /* the memory would not fit in host memory */
  GW_PARK_NO_ROOM = 8,        /* unpark: the memory would not fit on the device */
  GW_PARK_WITHDRAWN = 9,      /* the request was taken back */
  GW_PARK_DRIVER = 10,        /* the driver failed */
  GW_PARK_ROOM_UNKNOWN = 11,  /* what is free on a device of the process is not known */
};

/* Asks the task's process to park itself. for_ticket: the task that needs the memory, and until
 * whose end the other one stays parked at most; 0: until gw_unpark. */
GW_API int gw_park(gw_page *page, uint64_t ticket, uint64_t for_ticket);
/* Takes that request back: a parked process restores itself. */
GW_API int gw_unpark(gw_page *page, uint64_t ticket);

/* ---- the daemon --------------------------------------------------------------------------------
 *
 * One process, the daemon, may decide which gates of a page are open, instead of the tasks'
 * priorities. The daemon sends a heartbeat every 100 ms. After 250 ms without a heartbeat, or when
 * the daemon dies, priorities decide again.
 */

/* Makes the calling process the page's daemon. The gates stay as they are until it decides.
 * GW_E_TAKEN: another process is the daemon. */
GW_API int gw_decider_take(gw_page *page);
GW_API void gw_decider_leave(gw_page *page);
/* Sends the daemon's heartbeat, and reaps the rows of dead tasks. */
GW_API int gw_decider_beat(gw_page *page);
/* The daemon's pid, in the daemon's own PID namespace; 0: priorities decide. */
GW_API int gw_decider(gw_page *page);
/* For the daemon: a descriptor that is readable from a transition until the next gw_changes. The
 * first call starts a thread of the library, which waits for transitions. */
GW_API int gw_events_fd(gw_page *page, int *fd);

enum gw_change_flags {
  GW_LEFT = 1 << 0,          /* the task `left` has left; all others are about the task `ticket` */
  GW_JOINED = 1 << 1,        /* the task has joined */
  GW_CHANGED = 1 << 2,       /* the task's priority or its attributes have changed */
  GW_BECAME_IDLE = 1 << 3,   /* before GW_BECAME_ACTIVE, where both are set */
  GW_BECAME_ACTIVE = 1 << 4, /* the task has work */
  GW_SLACK_CHANGED = 1 << 5, /* `shares` has changed: after GW_BECAME_ACTIVE, where both are set */
};
struct gw_change {
  uint64_t ticket;
  uint64_t left;
  uint32_t row;
  uint32_t flags;   /* enum gw_change_flags, in the order in which they happened */
  int32_t priority; /* the task's own, or a higher one that it inherits */
  uint32_t shares;  /* 1: the task wants less urgent tasks to run beside it */
};
/* Fills changes with what has changed since the daemon's last call, at most one change for each
 * row. Returns their number, or an error. With a capacity of 256 no change is left for the next
 * call. */
GW_API int gw_changes(gw_page *page, struct gw_change *changes, int capacity);
GW_API int gw_task_at(gw_page *page, uint32_t row, uint64_t ticket, struct gw_task_info *info);

/* Sets the gates of `count` tasks: 0 open; 1 closed; 2 closed, and max_wait does not open it. Skips
 * tasks that have left. */
GW_API int gw_decide(gw_page *page, const uint64_t *tickets, const uint32_t *rows,
                     const uint32_t *gates, int count);
/* Opens the gates of these tasks, and closes the gates of all other tasks that gw_changes has
 * reported. A gate that gw_decide has set to 2 stays as it is. */
GW_API int gw_decide_only(gw_page *page, const uint64_t *tickets, const uint32_t *rows, int count);

/* ---- the calling thread -------------------------------------------------------------------- */

/* The calling thread's task: its thread-local task (gw_enter), else the process's task, which joins
 * on first use with the priority of GIVEWAY_PRIORITY and the name of GIVEWAY_NAME. NULL: the thread
 * runs ungated. */
GW_API gw_task *gw_current(const char *device);
/* As gw_current, but without joining a page. */
GW_API gw_task *gw_peek(void);
GW_API int gw_task_describe(gw_task *task, struct gw_task_info *info);
/* Gives the calling thread thread-local tasks until the matching gw_exit; calls nest. Where a hook
 * knows the pages of the device, the thread joins each page at its first launch there. */
GW_API int gw_enter(const char *device, const char *name, int priority, gw_own **own);
/* A task with work in flight leaves when that work is done. */
GW_API void gw_exit(gw_own *own);

/* The time now: CLOCK_MONOTONIC of the initial time namespace, which all processes share. */
GW_API uint64_t gw_time(void);
/* By how many nanoseconds the calling process's CLOCK_MONOTONIC is ahead of gw_time: not 0 in some
 * containers. */
GW_API int64_t gw_clock_ahead(void);

/* ---- this build ---------------------------------------------------------------------------- */

GW_API const char *gw_version(void);
/* 1: this process has a hook that gates launches (giveway run). */
GW_API int gw_hooked(void);

#ifdef __cplusplus
}
#endif
#endif
