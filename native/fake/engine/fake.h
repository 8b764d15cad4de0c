/* A libcuda for tests. It keeps the driver's promises about order, time and errors, and executes
 * copies but no kernels. A kernel takes the time that its name states: ns_200000. The kernel
 * `timed` takes as many nanoseconds as its first argument, and writes when it began and ended to
 * where the other two point. A kernel of any other name takes GIVEWAY_FAKE_KERNEL_NS, or no time.
 * Processes take turns on the device, or run side by side and slow each other down (beside.c).
 * Every time measured on it is simulated; the device has the host's monotonic clock. */
#ifndef GIVEWAY_FAKE_CUDA_H
#define GIVEWAY_FAKE_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FAKE exports what a real driver exports. All other functions stay hidden, whatever the compiler's
 * flags, so that giveway recognises a known driver. PROBE exports functions for C tests on request.
 */
#define FAKE __attribute__((visibility("default")))
#ifdef FAKE_PROBES
#define PROBE FAKE
#else
#define PROBE
#endif
#pragma GCC visibility push(hidden)

#define DEVICES 8

enum {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_IMPLICIT = 906,
  CAPTURED_EVENT = 907,
};

enum op_kind { OP_WORK, OP_RECORD, OP_WAIT_EVENT, OP_WAIT_VALUE, OP_WRITE_VALUE, OP_COPY };

struct event {
  bool recorded, done;
  uint64_t version; /* the number of records; a wait is for one of them */
  uint64_t done_version;
  uint64_t ns;           /* when the last record was done */
  struct stream *stream; /* HIP only: the stream of the last record */
  struct graph *capture; /* the last record is part of this capture */
};

struct op {
  enum op_kind kind;
  uint64_t sequence, ready_ns;
  uint64_t ns;             /* OP_WORK, OP_COPY: how long it takes */
  double left;             /* ... and still takes, beside other streams' work; 0: has not begun */
  uint32_t of;             /* the kind of kernel, see beside.c; 0: not a kernel */
  uint64_t *began, *ended; /* where to write the times; NULL: nowhere */
  struct event *event;
  uint64_t version;
  volatile uint32_t *word;
  uint32_t value;
  bool waited; /* the stream had to wait for the word */
  void *to;
  const void *from; /* NULL: a memset to value */
  size_t size;
  struct op *next;
};

struct graph {
  struct op *ops; /* in the order in which they run */
  size_t count;
  size_t allocates; /* bytes, of its nodes that allocate */
};

struct stream {
  struct op *first, *last;
  struct context *context;
  bool legacy, blocking;
  struct graph *capture;
  bool origin; /* the capture began on this stream: others have joined it */
  bool global; /* ... in global mode */
  bool invalidated;
  struct stream *next;
};

struct context {
  int device;
  bool alive;
  unsigned retained;
  unsigned generation; /* of its memory, which goes with the context */
  struct stream legacy;
  struct stream *streams;
};

/* calls.c: every function begins with CALL, which counts the call and returns the error that
 * GIVEWAY_FAKE_ERRORS states: cuLaunchKernel=719,cuMemAlloc_v2=2 */
struct call {
  const char *name;
  uint64_t count;
  int error;
  enum { CALL_NEW, CALL_KNOWN, CALL_SLOW } state;
  struct call *next;
};
extern bool fake_initialized;
int call_slowly(struct call *call);
/* From now on calls wait, until calls_unlock. `gone`: device memory is not there. */
void calls_lock(bool gone);
void calls_unlock(void);
static inline int call_enter(struct call *call) {
  call->count++;
  return __builtin_expect(call->state == CALL_KNOWN, 1) ? call->error : call_slowly(call);
}
#define COUNT(function)                                                                            \
  static struct call call_##function = {.name = #function};                                        \
  int call_error = call_enter(&call_##function);                                                   \
  if (__builtin_expect(call_error != 0, 0)) {                                                      \
    return call_error;                                                                             \
  }
#define CALL(function)                                                                             \
  COUNT(function)                                                                                  \
  if (__builtin_expect(!fake_initialized, 0)) {                                                    \
    return NOT_INITIALIZED;                                                                        \
  }
/* Defines a function, and its variant for which stream 0 is the per-thread stream, with one body.
 */
#define PAIR(name, suffix, parameters, ...)                                                        \
  FAKE int name parameters {                                                                       \
    CALL(name)                                                                                     \
    const bool per_thread = false;                                                                 \
    __VA_ARGS__                                                                                    \
  }                                                                                                \
  FAKE int name##suffix parameters {                                                               \
    CALL(name##suffix)                                                                             \
    const bool per_thread = true;                                                                  \
    __VA_ARGS__                                                                                    \
  }                                                                                                \
  _Static_assert(1, "a semicolon follows")

struct function { /* or a kernel of a library: another kind of handle that launches accept */
  uint64_t ns;
  uint32_t kind;
  bool of_library, timed;
  char name[104];
  struct function *next; /* of its module, or of those that have gone */
};

/* api.c */
extern struct context fake_contexts[DEVICES];
extern int fake_physical[DEVICES]; /* the physical devices, as CUDA_VISIBLE_DEVICES lists them */
extern __thread struct context *fake_current;
/* streams.c */
extern int fake_captures; /* in global mode */
extern int fake_all_captures;
extern __thread int fake_capture_mode; /* 0 global, 1 thread-local, 2 relaxed */
/* graphs.c: under the engine's lock, ends the capture that began on the stream. */
void capture_end(struct stream *stream);
struct stream *stream_of(uintptr_t handle, bool per_thread); /* under the engine's lock */
/* Locks the engine and finds the stream, or returns an error. Checks what a capture forbids. */
int stream_enter(uintptr_t handle, bool per_thread, struct stream **stream);
/* launch.c: submits work to the stream, or adds a node to its capture */
int fake_launch(struct op work, uintptr_t handle, bool per_thread);
/* graph_memory.c: adds a node that allocates; its address. Before a launch: fills the device's pool
 * for graphs. */
void *graph_allocate(struct graph *graph, size_t size);
bool graph_fill_pool(const struct graph *graph, int device);
/* graphs.c: adds a node to a graph that is being captured */
void graph_add(struct graph *graph, struct op op);

/* beside.c: whether processes run side by side, and by how much they slow each other down then */
bool beside_on(void);
uint32_t beside_kind(const char *name); /* the kind that the name of a kernel states; never 0 */
double beside_factor(uint32_t kind, uint32_t other);

/* share.c: one device, time-sliced between processes that have work, as a GPU is, or shared */
void share_open(int device);
/* Runs for `ns` of the device's time, not before `from`. Returns when the work ended. */
uint64_t share_run(int device, uint64_t ns, uint32_t kind, uint64_t from, uint64_t *began);
/* Gives the device up: this process is idle, or another process's time slice is due. */
void share_yield(int device, bool idle);
uint64_t fake_now(void);
/* The device's memory, GIVEWAY_FAKE_MEMORY bytes; a process that has ended has none. */
uint64_t share_memory_size(void);
uint64_t share_memory_free(int device);
bool share_memory_take(int device, uint64_t bytes);
void share_memory_give(int device, uint64_t bytes);
void share_memory_reset(int device);
uint64_t share_memory_used(int device); /* by this process */
/* memory.c: a context takes GIVEWAY_FAKE_CONTEXT bytes. False: there is no room for it. */
bool memory_open_context(struct context *context);
void memory_close_context(struct context *context);
uint64_t copy_ns(size_t size); /* how long a copy takes */
int memory_device(void);       /* of the calling thread's context; the first where it has none */

/* engine.c: streams take turns, or run side by side */
void engine_reset(void); /* a forked child has no engine */
void engine_submit(struct stream *stream, struct op op);
void engine_wait_stream(struct stream *stream);
bool engine_stream_busy(struct stream *stream);
bool engine_works(void); /* whether any stream of the process has work */
void engine_wait_event(struct event *event);
void engine_record(struct event *event, struct stream *stream);
void engine_lock(void);
void engine_unlock(void);
/* Whether the stream is empty and depends on no other stream's work. */
bool engine_stream_free(struct stream *stream);

PROBE uint64_t fake_calls(const char *name);
/* The next call of the function blocks inside the driver until fake_unblock. */
PROBE void fake_block(const char *name);
PROBE bool fake_blocked(void);
PROBE void fake_unblock(void);
/* From now on every call of that function begins with `run`. */
PROBE void fake_during(const char *name, void (*run)(void));
PROBE uint64_t fake_in_flight_ns(void);
PROBE bool fake_held(void);
PROBE void fake_occupy(void);
PROBE void fake_pause(void);
PROBE void fake_resume(void);

#pragma GCC visibility pop

#endif
