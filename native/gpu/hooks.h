/* The functions that run around a hooked call. The generated hooks include this file and nothing
 * else, so that the way of an open gate is straight code. */
#ifndef GIVEWAY_GPU_HOOK_H
#define GIVEWAY_GPU_HOOK_H

#include <stdatomic.h>

#include "array.h"
#include "collective.h"
#include "count.h"
#include "device.h"
#include "driver.h"
#include "graph_memory.h"
#include "limit.h"
#include "load/resolve.h"
#include "park.h"
#include "submit.h"
#include "trace.h"

#define GW_EXPORT __attribute__((visibility("default")))

/* Instead of a function's number, in the key of a graph. */
#define GW_GRAPHS (UINT64_C(1) << 32)

struct gw_call {
  gw_word stream;
  struct gw_device *device; /* of a launch or copy; NULL: not gated */
  uint64_t key;             /* of work; other hooks note here what they need after the call */
  struct gw_submission submission;
  struct gw_loan loan;
  struct gw_traced traced;
  /* Of calls about device memory: up to three of their arguments, as hooks.txt lists them. */
  gw_word memory[3];
  struct gw_allocation allocation;
  struct gw_memory freed;
};

/* Which function a hook stands for; generated. */
struct gw_hook {
  unsigned id;
  void *hook;
};
extern const struct gw_hook gw_hooks[];
extern const unsigned gw_hook_count;
/* The hook of that name; NULL: none. */
void *gw_hook_of(const char *name);

static inline gw_word gw_stream(gw_word handle, gw_word fallback) {
  return handle != 0 ? handle : fallback;
}

static inline gw_word gw_at(gw_word address, unsigned offset) {
  return address != 0 ? *(const gw_word *)(address + offset) : 0;
}

static inline uint64_t gw_mix(uint64_t key, uint64_t value) {
  return ((key << 7 | key >> 57) ^ value) * UINT64_C(0x9E3779B97F4A7C15);
}

/* Copies of 2^n bytes and more, up to the next power of two, are one kind of work. */
static inline uint64_t gw_size_class(uint64_t bytes) {
  return bytes != 0 ? 64 - (uint64_t)__builtin_clzll(bytes) : 0;
}

/* Some libraries call their own exports the way a program does, and so come back to the hooks.
 * Their calls inside a hooked call belong to that call, which has been admitted already. */
#ifdef GIVEWAY_SHIM_REENTERED
extern __thread bool gw_in_hook __attribute__((tls_model("initial-exec")));
static inline bool gw_hook_enter(void) { return !gw_in_hook && (gw_in_hook = true); }
static inline void gw_hook_leave(void) { gw_in_hook = false; }
#else
static inline bool gw_hook_enter(void) { return true; }
static inline void gw_hook_leave(void) {}
#endif

static inline void gw_count_call(enum gw_counted what, gw_word stream) {
  gw_count(what == GW_LAUNCHES && stream == GW_STREAM_LEGACY ? GW_LEGACY_LAUNCHES : what, 1);
}

#define GW_NOT_READY 600 /* in both APIs: an answer, not a failure */

static inline void gw_count_end(struct gw_call *call, int result) {
  if (__builtin_expect(result != 0 && result != GW_NOT_READY, 0)) {
    gw_count(GW_FAILURES, 1);
  }
  if (__builtin_expect(gw_tracing, 0)) {
    gw_trace_end(&call->traced, result);
  }
}

/* A launch that is not gated: there is no device, or a capture records the launch. */
void gw_passed(struct gw_call *call);

/* The work is held, waits, gets a gate or a fence, or its time is not known yet. */
void gw_before_submission(struct gw_call *call, gw_task *task, enum gw_work work);

/* Work for the device. */
static inline void gw_before_work(struct gw_call *call, enum gw_work work) {
  struct gw_device *device = call->device =
      work >= GW_MEMSET ? gw_device_of_copy(call->stream) : gw_device_of_launch(call->stream);
  if (device == NULL) {
    gw_passed(call);
    return;
  }
  gw_task *task = gw_device_task(device);
  gw_device_use(device, call->stream);
  if (GW_LIKELY(!gw_outranked(task) &&
                gw_sparse_passes(&device->windows.sparse, &device->windows.estimates, call->key,
                                 call->stream))) {
    gw_admit(task);
  } else {
    gw_before_submission(call, task, work);
  }
}

/* An admitted launch of a process in a job. */
static inline void gw_admitted(const struct gw_call *call, unsigned id, gw_word kernel) {
  if (call->device != NULL && kernel != 0 && gw_is_collective(id, kernel)) {
    gw_collective(gw_device_task(call->device));
  }
}

/* A call may take longer than the idle timeout, as the first launch of a kernel that the driver has
 * yet to load. The watcher has then found the stream empty, and may have made the task idle. */
void gw_submitted_late(const struct gw_call *call);
static inline void gw_submitted(const struct gw_call *call) {
  if (GW_LIKELY(call->device != NULL) && !gw_device_uses(call->device, call->stream)) {
    gw_submitted_late(call);
  }
}

static inline void gw_after_work(struct gw_call *call, int result) {
  gw_submitted(call);
  if (__builtin_expect(call->submission.window != NULL, 0)) {
    gw_submit_end(&call->submission, result == 0);
  }
}

static inline void gw_before_launch(struct gw_call *call) { gw_before_work(call, GW_KERNEL); }
static inline void gw_before_graph(struct gw_call *call) { gw_before_work(call, GW_GRAPH); }
static inline void gw_before_memset(struct gw_call *call) { gw_before_work(call, GW_MEMSET); }
static inline void gw_before_copy(struct gw_call *call) { gw_before_work(call, GW_COPY); }
static inline void gw_after_launch(struct gw_call *call, int result) {
  gw_after_work(call, result);
}
static inline void gw_after_graph(struct gw_call *call, int result) {
  gw_after_work(call, result);
  if (__builtin_expect(atomic_load_explicit(&gw_graphs_allocate, memory_order_relaxed), 0)) {
    gw_graph_memory_update();
  }
}
static inline void gw_after_memset(struct gw_call *call, int result) {
  gw_after_work(call, result);
}
static inline void gw_after_copy(struct gw_call *call, int result) { gw_after_work(call, result); }

/* The graph goes, or becomes another one behind the same handle. */
static inline void gw_before_graph_change(struct gw_call *call) { (void)call; }
static inline void gw_after_graph_change(struct gw_call *call, int result) {
  (void)result;
  gw_device_forget_kind(call->key);
}

/* Device memory. Between gw_before_alloc and gw_after_alloc the call may be made several times. */
void gw_before_alloc(struct gw_call *call);
void gw_after_alloc(struct gw_call *call, int result);
void gw_before_array(struct gw_call *call);
void gw_after_array(struct gw_call *call, int result);
void gw_before_free_array(struct gw_call *call);
void gw_after_free_array(struct gw_call *call, int result);
/* A node that allocates, and one of any kind, is added to a graph. */
void gw_before_alloc_node(struct gw_call *call);
void gw_after_alloc_node(struct gw_call *call, int result);
void gw_before_any_node(struct gw_call *call);
void gw_after_any_node(struct gw_call *call, int result);
/* The pools of graphs have other memory than before. */
static inline void gw_before_graph_pool(struct gw_call *call) { (void)call; }
static inline void gw_after_graph_pool(struct gw_call *call, int result) {
  (void)call, (void)result;
  if (atomic_load(&gw_graphs_allocate)) {
    gw_graph_memory_update();
  }
}
void gw_before_managed(struct gw_call *call);
void gw_after_managed(struct gw_call *call, int result);
void gw_before_context_open(struct gw_call *call);
void gw_after_context_open(struct gw_call *call, int result);
void gw_before_create(struct gw_call *call);
void gw_after_create(struct gw_call *call, int result);
void gw_before_free(struct gw_call *call);
void gw_after_free(struct gw_call *call, int result);
void gw_before_free_wait(struct gw_call *call);
void gw_after_free_wait(struct gw_call *call, int result);
void gw_before_release(struct gw_call *call);
void gw_after_release(struct gw_call *call, int result);
static inline void gw_before_retain(struct gw_call *call) { (void)call; }
void gw_after_retain(struct gw_call *call, int result);
static inline void gw_before_map(struct gw_call *call) { (void)call; }
void gw_after_map(struct gw_call *call, int result);
static inline void gw_before_unmap(struct gw_call *call) { (void)call; }
void gw_after_unmap(struct gw_call *call, int result);
/* What the program asks about the memory of its device, or about the size of one. */
static inline void gw_before_memory_info(struct gw_call *call) { (void)call; }
void gw_after_memory_info(struct gw_call *call, int result);
static inline void gw_before_size(struct gw_call *call) { (void)call; }
void gw_after_size(struct gw_call *call, int result);
/* Memory is shared with another process. */
static inline void gw_before_share(struct gw_call *call) { (void)call; }
static inline void gw_after_share(struct gw_call *call, int result) {
  (void)call;
  if (result == 0) {
    gw_park_forbid(GW_PARK_SHARED);
  }
}

/* Calls that are only counted. */
static inline void gw_before_plain(struct gw_call *call) { (void)call; }
static inline void gw_after_plain(struct gw_call *call, int result) { (void)call, (void)result; }

void gw_before_join(struct gw_call *call);
void gw_after_join(struct gw_call *call);

/* A stream waits for an event: if the event belongs to a capture, the stream joins the capture. */
static inline void gw_before_event_wait(struct gw_call *call) {
  call->key = 0;
  if (__builtin_expect(atomic_load_explicit(&gw_captures, memory_order_relaxed) != 0, 0) &&
      call->stream != GW_STREAM_LEGACY) { /* which no capture can have */
    gw_before_join(call);
    call->key = 1;
  }
}

static inline void gw_after_event_wait(struct gw_call *call, int result) {
  (void)result;
  if (__builtin_expect(call->key != 0, 0)) {
    gw_after_join(call);
  }
}

/* The task of the calling thread on its current device, NULL before its first launch there. */
gw_task *gw_current_task(void);

void gw_before_wait(struct gw_call *call);
void gw_after_wait(struct gw_call *call, int result);

/* Copies that return when they are done: there is one at a time, and nothing of it stays in flight.
 */
static inline void gw_before_copy_wait(struct gw_call *call) {
  struct gw_device *device = call->device = gw_device_of_copy(call->stream);
  if (device != NULL) {
    gw_device_use(device, call->stream);
    gw_admit(gw_device_task(device));
  }
  gw_before_wait(call);
}

static inline void gw_after_copy_wait(struct gw_call *call, int result) {
  gw_after_wait(call, result);
}

void gw_before_sync(struct gw_call *call);
void gw_after_sync(struct gw_call *call, int result);
void gw_before_stream_query(struct gw_call *call);
void gw_after_stream_query(struct gw_call *call, int result);
void gw_before_sync_all(struct gw_call *call);
void gw_after_sync_all(struct gw_call *call, int result);
void gw_before_stream_destroy(struct gw_call *call);
void gw_after_stream_destroy(struct gw_call *call, int result);
void gw_before_context_destroy(struct gw_call *call);
void gw_after_context_destroy(struct gw_call *call, int result);
/* A green context goes: its memory belongs to the context that it is a part of. */
void gw_before_green_destroy(struct gw_call *call);
void gw_after_green_destroy(struct gw_call *call, int result);
void gw_before_context_release(struct gw_call *call);
void gw_after_context_release(struct gw_call *call, int result);
/* Code is unloaded: another function may get the handle of one that has gone. */
void gw_before_unload(struct gw_call *call);
void gw_after_unload(struct gw_call *call, int result);
void gw_before_capture_begin(struct gw_call *call);
void gw_after_capture_begin(struct gw_call *call, int result);
void gw_before_capture_end(struct gw_call *call);
void gw_after_capture_end(struct gw_call *call, int result);

#endif
