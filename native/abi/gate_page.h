/* The gate page: the shared-memory contract between every process that uses one device.
 *
 * Each device has one file: a header, GW_ROWS rows, and the attributes of each row. A task owns one
 * row. A launch reads only the first cache line of its task's row, and counts on the second. All
 * other fields are written by transitions (join, leave, idle <-> active, priority change), which
 * hold the page's lock.
 *
 * Transitions also decide which gates are open, by priority. While a daemon sends its heartbeat,
 * the daemon decides, and transitions only wake the daemon.
 *
 * Holders: a process has a row while the row's holder is the thread id of its keeper, a thread that
 * does nothing else. The word is a robust futex: when the process ends or calls exec, for whatever
 * reason and in whatever PID namespace, the kernel sets FUTEX_OWNER_DIED in it, before it frees the
 * process's memory. 0: no process has the row.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, in the initial time namespace.
 *
 * A page of zeros reads as "every gate open, no task": a file that is truncated or wiped makes
 * programs run ungated, and never makes them hang.
 */
#ifndef GIVEWAY_GATE_PAGE_H
#define GIVEWAY_GATE_PAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define GW_PAGE_MAGIC UINT64_C(0x3179617765766967) /* "giveway1", little endian */
#define GW_ABI_VERSION 7u
#define GW_ROWS 256u
#define GW_CACHE_LINE 64
#define GW_NAME_SIZE 48 /* bytes, the terminating NUL included */
#define GW_ATTRIBUTES_SIZE 248
#define GW_CORE_WORDS 16 /* 64 cores each: as many CPUs as a cpu_set_t of glibc has */

#define GW_PRIORITY_MIN (-1000)
#define GW_PRIORITY_MAX 1000

enum gw_gate {
  GW_OPEN = 0,
  GW_CLOSED = 1,
  GW_PAUSED = 2, /* in row.decided only: closed, and no turn opens the gate */
  GW_NARROW = 3, /* in row.gate only: open, for the cores that more urgent tasks leave */
};

/* The stream gate (row.stream_gate): the gate in a form for which a device can wait. Work goes on
 * while the word minus GW_STREAM_OPEN(ticket), as a signed number, is not negative. So the work of
 * a ticket waits only while the row has that ticket and its gate is closed. A word of zero, and the
 * word of every later owner of the row, let the work pass. */
#define GW_STREAM_OPEN(ticket) (UINT32_C(0xC0000000) + 2 * (uint32_t)(ticket))
#define GW_STREAM_CLOSED(ticket) (GW_STREAM_OPEN(ticket) - 1)
#define GW_STREAM_TICKETS (UINT64_C(1) << 29) /* from this ticket on the arithmetic fails */

enum gw_state {
  GW_FREE = 0,   /* no task has the row */
  GW_IDLE = 1,   /* the task has joined and has no work */
  GW_ACTIVE = 2, /* the task has work, running or held */
};

/* How far parking has come (row.parked). A parked task is idle: it holds no other task, and its
 * gate is closed, but the gate on its streams is open, so that the work behind it ends. */
enum gw_parked {
  GW_NOT_PARKED = 0,
  GW_PARK_DRAINS = 1,   /* no work is admitted; the device finishes what it has */
  GW_PARK_SAVES = 2,    /* device memory moves to host memory */
  GW_PARKED = 3,        /* the task has no device memory */
  GW_PARK_RESTORES = 4, /* device memory comes back */
};

/* row.flags */
enum gw_row_flags {
  GW_ROW_THREAD = 1u << 0,  /* a thread-local task, not the process's task */
  GW_ROW_STREAM = 1u << 1,  /* the device waits for stream_gate: transitions count the held time */
  GW_ROW_PATIENT = 1u << 2, /* the user wants no turns for the task, however long it waits */
  GW_ROW_YIELDS = 1u << 3,  /* the task waits until another task's turn is over */
  GW_ROW_MATTERS = 1u << 4, /* other tasks may wait for this one: its watcher looks more often */
  GW_ROW_HELD = 1u << 5,    /* tasks of this page hold the task */
  GW_ROW_RANKED = 1u << 6,  /* tasks of this page may hold the task */
  /* The same for another member of the task's job, on its own page: the task waits as well. */
  GW_ROW_JOB_HELD = 1u << 7,
  GW_ROW_JOB_RANKED = 1u << 8,
  GW_ROW_LAUNCHES_ONLY = 1u << 9, /* work that runs cannot be stopped: only launches wait */
  GW_ROW_WHOLE = 1u << 10,        /* the gate stops every thread of the process */
  GW_ROW_SHARES = 1u << 11,       /* the task has slack: less urgent tasks may run beside it now */
  GW_ROW_CAN_PARK = 1u << 13,     /* the task's process takes requests to park */
  GW_ROW_PARKABLE = 1u << 14,     /* ... also for tasks that need memory: the user allows it */
  GW_ROW_MEMBER = 1u << 16,       /* of a job: a thread sleeps on these flags, and votes */
};

struct gw_row {
  /* Line 0: read by every launch of the task, written by transitions. */
  _Alignas(GW_CACHE_LINE) _Atomic uint32_t gate; /* enum gw_gate; the futex word of held launches */
  _Atomic uint32_t state;                        /* enum gw_state */
  _Atomic uint32_t holder;                       /* the row's process; see "Holders" above */
  _Atomic int32_t priority;                      /* bigger is more urgent */
  _Atomic uint64_t ticket;                       /* the number of the join; never 0, never reused */
  _Atomic uint64_t joined_ns;                    /* when the task joined */
  _Atomic uint64_t closed_ns;                    /* when the gate last closed on an active task */
  _Atomic uint64_t quantum_end_ns;               /* the end of the task's turn; 0: no turn */
  _Atomic uint64_t beat_ns;                      /* the last heartbeat, while the task is active */
  /* 1: another task may hold this one: a task with a higher priority has joined, or a daemon
   * decides and another task has joined. */
  _Atomic uint32_t outranked;
  /* The priority inherited from a waiting thread of the process, less GW_PRIORITY_MIN - 1; 0: none.
   */
  _Atomic uint32_t lent;

  /* Line 1: written by the task's process while it runs, unless stated otherwise. */
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t launches; /* admitted launches, operators included */
  _Atomic uint64_t operators;                        /* of these, single-threaded torch operators */
  _Atomic uint64_t held_ns;                          /* time spent at a closed gate, all threads */
  _Atomic uint64_t held;                             /* launches that met a closed gate */
  _Atomic uint64_t preemptions; /* gate closed while the task was active (written by transitions) */
  _Atomic uint32_t stream_gate; /* GW_STREAM_OPEN or GW_STREAM_CLOSED (written by transitions) */
  _Atomic uint32_t decided;     /* enum gw_gate: what the daemon wants the gate to be */
  _Atomic uint32_t activations; /* how often the task became active (written by transitions) */
  _Atomic uint32_t waiters;     /* threads asleep at the gate: for observers, not to rely on */
  _Atomic uint64_t stopped_ns;  /* when the work at the last closing had stopped; 0: not seen */

  /* Line 2: identity. */
  _Alignas(GW_CACHE_LINE) _Atomic uint32_t pid; /* in the process's own PID namespace */
  _Atomic uint32_t flags;                       /* enum gw_row_flags */
  _Atomic uint64_t pid_namespace;               /* the inode of that namespace; 0: unknown */
  char name[GW_NAME_SIZE];                      /* UTF-8, NUL-terminated */

  /* Line 3: written by transitions, unless stated otherwise. */
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t
      grace_end_ns;       /* the end of the grace period after a signal that asks the program to
                             end: until then the gate is open; 0: none */
  _Atomic uint32_t width; /* cores that the task keeps busy at most; 0: the whole device */
  /* Slack, for observers: written by the watcher of the task. Ratios are in millionths. */
  _Atomic uint32_t slack_tolerance; /* the slowdown that the task tolerates */
  _Atomic int64_t slack_credit_ns;  /* the delay that is tolerated and has not happened */
  _Atomic uint64_t beside_ns;       /* time with work while less urgent tasks ran */
  _Atomic uint64_t contended_ns;    /* time with work while less urgent tasks had work */
  _Atomic uint32_t slack_speed;     /* beside others, of that without, and one; 0: not known */
  _Atomic uint32_t slack_verdict;   /* enum gw_slack_verdict */
  /* How many allocations of the task look for memory: meanwhile programs that are parked for the
   * task stay so. Written by the task's process. */
  _Atomic uint32_t needs_memory;

  /* Lines 4 and 5: the cores on which the task's threads may run. A core has the number of the
   * lowest of its logical CPUs: two hyperthreads of one core compete for it. */
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t cores[GW_CORE_WORDS];

  /* Line 6: device memory, in bytes. The limit and the reservation are the user's; the task's
   * process writes the others. */
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t memory; /* in use, the process's contexts included */
  _Atomic uint64_t memory_peak;
  _Atomic uint64_t memory_limit;   /* 0: none */
  _Atomic uint64_t memory_reserve; /* other tasks leave as much to this one; 0: none */
  /* Parking. Others write requests; the task's process writes how far it has come. */
  _Atomic uint32_t parked; /* enum gw_parked; a futex word */
  /* The number of the last request. Odd: the task is to be parked, or to stay so. A refusal, or the
   * end of the reason to stay parked, is a number as well. */
  _Atomic uint32_t park_request;
  _Atomic uint32_t park_error;  /* enum gw_park_error: why the last request was refused */
  _Atomic uint32_t park_number; /* the driver's error of that refusal */
  _Atomic uint64_t park_for;    /* the ticket of the task that needs the memory; 0: a user asked */
  _Atomic uint64_t park_room;   /* with GW_PARK_NO_HOST_MEMORY and GW_PARK_NO_ROOM: the bytes that
                                   there were */
};

struct gw_header {
  /* Line 0: written once, before the file gets its name. */
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t magic;
  _Atomic uint32_t abi_version;
  _Atomic uint32_t header_size; /* bytes */
  _Atomic uint32_t row_size;    /* bytes */
  _Atomic uint32_t row_count;
  _Atomic uint64_t page_size; /* bytes, header and rows */
  /* Where each row has its holder, in bytes: with the sizes above, every version of giveway can
   * tell whether a page of another version is in use. */
  _Atomic uint32_t holder_offset;
  uint32_t reserved0;
  _Atomic uint64_t boot; /* the boot in which the page was made; 0: unknown */
  /* What the tasks' processes have learned about the device; 0: nothing yet. */
  _Atomic uint64_t memory;         /* bytes that the device has */
  _Atomic uint64_t memory_context; /* the most that a context took before the first allocation */

  /* Line 1: changes with every transition. */
  _Alignas(GW_CACHE_LINE) _Atomic uint32_t events; /* counts transitions; a futex word */
  _Atomic uint32_t rows_used;                      /* no row from this index on was ever used */
  _Atomic uint64_t next_ticket;
  _Atomic uint64_t beat_ns;       /* the daemon's last heartbeat */
  _Atomic uint32_t decider;       /* the daemon's pid, in its own PID namespace; 0: no daemon */
  _Atomic uint32_t by_daemon;     /* 1: the gates follow a daemon; 0: they follow priorities */
  _Atomic uint32_t joined;        /* tasks on the page, as of the last transition */
  _Atomic uint32_t park_requests; /* counts requests to park and to unpark; a futex word */
  _Atomic uint32_t holder;        /* the daemon's process, as a row has one */
  uint32_t reserved3;
  uint64_t reserved4[2];

  /* Line 2: the lock that transitions take. */
  _Alignas(GW_CACHE_LINE) pthread_mutex_t lock; /* robust, process-shared */
};

/* A task's attributes, which users state for policies: words such as deadline=20ms, separated by
 * spaces. */
struct gw_attributes {
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t changes; /* counts changes of the text */
  char text[GW_ATTRIBUTES_SIZE];                    /* UTF-8, NUL-terminated */
};

struct gw_page_layout {
  struct gw_header header;
  struct gw_row rows[GW_ROWS];
  struct gw_attributes attributes[GW_ROWS];
};

_Static_assert(sizeof(struct gw_row) == 7 * GW_CACHE_LINE, "a row is whole cache lines");
_Static_assert(offsetof(struct gw_row, launches) == 1 * GW_CACHE_LINE,
               "counters on their own line");
_Static_assert(offsetof(struct gw_row, pid) == 2 * GW_CACHE_LINE, "identity on its own line");
_Static_assert(sizeof(struct gw_header) == 3 * GW_CACHE_LINE, "the header is whole cache lines");
_Static_assert(offsetof(struct gw_header, events) == 1 * GW_CACHE_LINE, "events on their own line");
_Static_assert(offsetof(struct gw_header, lock) == 2 * GW_CACHE_LINE, "the lock on its own line");
/* A holder's node for the kernel is a pointer, at the same offset in memory of the process. */
_Static_assert(offsetof(struct gw_row, holder) % sizeof(void *) == 0, "room for a pointer");
_Static_assert(offsetof(struct gw_header, holder) % sizeof(void *) == 0, "room for a pointer");
_Static_assert(sizeof(pthread_mutex_t) <= GW_CACHE_LINE, "the lock fits one line");
_Static_assert(offsetof(struct gw_page_layout, rows) == sizeof(struct gw_header),
               "rows follow the header");
_Static_assert(sizeof(struct gw_attributes) == 4 * GW_CACHE_LINE,
               "attributes are whole cache lines");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
               "lock-free between processes");

#endif
