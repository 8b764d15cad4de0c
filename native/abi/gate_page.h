/* The gate page: the shared-memory contract between every process that uses one device.
 *
 * One file per device. A header, then GW_ROWS rows; a task owns one row. Launches read only the
 * first cache line of their own row and count on the second; everything else is written by
 * transitions (join, leave, idle <-> active, priority change), which hold the page's lock. Behind
 * the rows, what users say about each task for a policy.
 *
 * Transitions also decide which gates are open, by priority; while a daemon sends its heartbeat,
 * the daemon decides, and transitions only wake it.
 *
 * A page of zeros reads as "every gate open, no task": whatever truncates or wipes the file makes
 * programs run ungated and never hang.
 */
#ifndef GIVEWAY_GATE_PAGE_H
#define GIVEWAY_GATE_PAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define GW_PAGE_MAGIC UINT64_C(0x3179617765766967) /* "giveway1", little endian */
#define GW_ABI_VERSION 4u
#define GW_ROWS 256u
#define GW_CACHE_LINE 64
#define GW_NAME_SIZE 48 /* bytes, the terminating NUL included */
#define GW_ATTRIBUTES_SIZE 248

#define GW_PRIORITY_MIN (-1000)
#define GW_PRIORITY_MAX 1000

enum gw_gate {
  GW_OPEN = 0,
  GW_CLOSED = 1,
  GW_PAUSED = 2, /* row.decided only: closed, and no quantum opens it */
};

/* The gate once more, as a device waits for it (row.stream_gate): work goes on where the word minus
 * GW_STREAM_OPEN(ticket), taken as signed, is not negative. So a ticket's work waits only while the
 * row has its ticket and its gate is closed: a word of zero, and that of every later owner of the
 * row, lets it pass. */
#define GW_STREAM_OPEN(ticket) (UINT32_C(0xC0000000) + 2 * (uint32_t)(ticket))
#define GW_STREAM_CLOSED(ticket) (GW_STREAM_OPEN(ticket) - 1)
#define GW_STREAM_TICKETS (UINT64_C(1) << 29) /* from there on the arithmetic does not hold */

enum gw_state {
  GW_FREE = 0,   /* no task has the row */
  GW_IDLE = 1,   /* joined, nothing to run */
  GW_ACTIVE = 2, /* has work, running or held */
};

/* row.flags */
enum gw_row_flags {
  GW_ROW_THREAD = 1u << 0,  /* a thread's own task, not its process's */
  GW_ROW_STREAM = 1u << 1,  /* its device waits for stream_gate: transitions count the held time */
  GW_ROW_PATIENT = 1u << 2, /* its user wants no turn for it, however long it waits */
  GW_ROW_YIELDS = 1u << 3,  /* waits while a task that has waited for it has a turn */
  GW_ROW_MATTERS = 1u << 4, /* other tasks may wait until it is idle, which is noticed soon */
};

struct gw_row {
  /* Line 0: read by every launch of the owner, written by transitions. */
  _Alignas(GW_CACHE_LINE) _Atomic uint32_t gate; /* enum gw_gate; the futex word of held launches */
  _Atomic uint32_t waiters;                      /* threads asleep on the gate */
  _Atomic uint32_t state;                        /* enum gw_state */
  _Atomic int32_t priority;                      /* bigger is more urgent */
  _Atomic uint64_t ticket;                       /* which join this is; never 0, never reused */
  _Atomic uint64_t owner;                        /* random identity of the owning process */
  _Atomic uint64_t closed_ns;                    /* when the gate last closed on an active task */
  _Atomic uint64_t quantum_end_ns;               /* its turn until then; 0: it has none */
  _Atomic uint64_t beat_ns;                      /* last heartbeat of an active task's watcher */
  _Atomic uint32_t outranked; /* 1: other tasks on the page may make this one wait */
  /* Priority inherited from a waiting thread of its process, less GW_PRIORITY_MIN - 1; 0: none. */
  _Atomic uint32_t lent;

  /* Line 1: written by the owner while it runs. Times are CLOCK_MONOTONIC nanoseconds. */
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t launches; /* admitted launches, operators included */
  _Atomic uint64_t operators;                        /* of these, single-threaded torch operators */
  _Atomic uint64_t held_ns;                          /* time spent at a closed gate, all threads */
  _Atomic uint64_t held;                             /* launches that met a closed gate */
  _Atomic uint64_t preemptions; /* gate closed while the task was active (written by transitions) */
  _Atomic uint32_t stream_gate; /* GW_STREAM_OPEN or GW_STREAM_CLOSED (written by transitions) */
  _Atomic uint32_t decided;     /* enum gw_gate: what the daemon wants the gate to be */
  _Atomic uint64_t activations; /* how often it became active (written by transitions) */
  _Atomic uint64_t stopped_ns;  /* when the work at the last closing was seen stopped; 0: never */

  /* Line 2: identity. */
  _Alignas(GW_CACHE_LINE) _Atomic uint32_t pid; /* as its own PID namespace has it */
  _Atomic uint32_t flags;                       /* enum gw_row_flags */
  _Atomic uint64_t joined_ns;                   /* CLOCK_MONOTONIC */
  char name[GW_NAME_SIZE];                      /* UTF-8, NUL-terminated */
};

struct gw_header {
  /* Line 0: written once, before the file gets its name. */
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t magic;
  _Atomic uint32_t abi_version;
  _Atomic uint32_t header_size; /* bytes */
  _Atomic uint32_t row_size;    /* bytes */
  _Atomic uint32_t row_count;
  _Atomic uint64_t page_size; /* bytes, header and rows */
  uint64_t reserved0[4];

  /* Line 1: changes with every transition. */
  _Alignas(GW_CACHE_LINE) _Atomic uint32_t events; /* counts transitions; a futex word */
  _Atomic uint32_t rows_used;                      /* no row at or past this index was ever used */
  _Atomic uint64_t next_ticket;
  _Atomic uint64_t beat_ns;   /* the daemon's last heartbeat */
  _Atomic uint32_t decider;   /* pid of the daemon, as its own PID namespace has it; 0: none */
  _Atomic uint32_t by_daemon; /* 1: the gates are as a daemon wants them; 0: as priorities do */
  _Atomic uint32_t joined;    /* tasks on the page, as of the last transition */
  uint32_t reserved1;
  uint64_t reserved2[3];

  /* Line 2: the lock that transitions take. */
  _Alignas(GW_CACHE_LINE) pthread_mutex_t lock; /* robust, process-shared */
};

/* What users say about a task, for policies: words such as deadline=20ms, with spaces between. */
struct gw_attributes {
  _Alignas(GW_CACHE_LINE) _Atomic uint64_t changes; /* counts */
  char text[GW_ATTRIBUTES_SIZE];                    /* UTF-8, NUL-terminated */
};

struct gw_page_layout {
  struct gw_header header;
  struct gw_row rows[GW_ROWS];
  struct gw_attributes attributes[GW_ROWS];
};

_Static_assert(sizeof(struct gw_row) == 3 * GW_CACHE_LINE, "a row is whole cache lines");
_Static_assert(offsetof(struct gw_row, launches) == 1 * GW_CACHE_LINE,
               "counters on their own line");
_Static_assert(offsetof(struct gw_row, pid) == 2 * GW_CACHE_LINE, "identity on its own line");
_Static_assert(sizeof(struct gw_header) == 3 * GW_CACHE_LINE, "the header is whole cache lines");
_Static_assert(offsetof(struct gw_header, events) == 1 * GW_CACHE_LINE, "events on their own line");
_Static_assert(offsetof(struct gw_header, lock) == 2 * GW_CACHE_LINE, "the lock on its own line");
_Static_assert(sizeof(pthread_mutex_t) <= GW_CACHE_LINE, "the lock fits one line");
_Static_assert(offsetof(struct gw_page_layout, rows) == sizeof(struct gw_header),
               "rows follow the header");
_Static_assert(sizeof(struct gw_attributes) == 4 * GW_CACHE_LINE,
               "attributes are whole cache lines");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
               "lock-free between processes");

#endif
