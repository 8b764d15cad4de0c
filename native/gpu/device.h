/* A device as this process uses it: its task, and the streams that may have work. */
#ifndef GIVEWAY_GPU_DEVICE_H
#define GIVEWAY_GPU_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "capture.h"
#include "driver.h"
#include "giveway_hook.h"
#include "window.h"

#define GW_DEVICES 64
#define GW_STREAM_SLOTS 32
#define GW_LIKELY(x) __builtin_expect(!!(x), 1)

struct gw_device {
  gw_page *page;
  gw_task *task;
  /* One of the device's contexts, to query default streams and what is free; 0: unknown. */
  _Atomic gw_word context;
  /* stream << 1 | whether it was used since a thread last began to wait for it; 0: no known work. A
   * stream that is not in its home slot is in a later slot. Streams for which there is no slot are
   * not queried: their task is active for linger after each launch. */
  _Atomic gw_word used[GW_STREAM_SLOTS];
  struct gw_windows windows;
  _Atomic uint64_t
      graph_memory;       /* of the task, in the device's pool for graphs; see graph_memory.h */
  uint64_t graph_reading; /* of the driver's answer that says so; in graph_memory.c alone */
};

extern _Atomic(struct gw_device *) gw_devices[GW_DEVICES];
/* The device of a process that sees only one; NULL where the process sees several, or has not
 * launched yet. */
extern _Atomic(struct gw_device *) gw_only_device;

/* The calling thread's device, whose task joins on first use; NULL: the launch passes. */
struct gw_device *gw_device_find(void);
/* The device of that number. */
struct gw_device *gw_device_find_at(int index);
/* The device of the stream, which may belong to another device than the calling thread's. */
struct gw_device *gw_device_find_of(gw_word stream);
struct gw_device *gw_device_known_of(gw_word stream);
/* The calling thread's device; NULL: none, or the process has not launched there yet. */
struct gw_device *gw_device_known(void);
/* The slow half of gw_device_use: notes that the stream has work. */
void gw_device_mark(struct gw_device *device, gw_word stream);
/* The same for a context, where the device has none yet. */
void gw_device_note_context(struct gw_device *device, gw_word context);
/* A thread begins to wait for a stream; all work that was submitted before the wait is done. */
void gw_device_sync_begin(struct gw_device *device, gw_word stream);
void gw_device_sync_end(struct gw_device *device, gw_word stream);

/* Waits until the watcher does not query that stream; 0: until it queries none. So that no thread
 * destroys or captures the stream at that moment. */
void gw_device_await_query(gw_word stream);
/* Forgets a stream, or all that a context has (0: any context), before it goes. */
void gw_device_forget_stream(gw_word stream);
void gw_device_forget_context(gw_word context);
/* Forgets what a stream has in flight, and that kind of work, on all devices. */
void gw_device_forget_fences(gw_word stream);
void gw_device_forget_kind(uint64_t key);
/* The same for all kinds: code has been unloaded, and only the driver knows which. */
void gw_device_forget_kinds(void);

/* The device, unless a capture records the work. */
static inline struct gw_device *gw_device_unless_captured(struct gw_device *device,
                                                          gw_word stream) {
  return GW_LIKELY(atomic_load_explicit(&gw_captures, memory_order_relaxed) == 0) ||
                 !gw_capturing(stream)
             ? device
             : NULL;
}

/* The device of a launch on this stream; NULL: the launch passes. */
static inline struct gw_device *gw_device_of_launch(gw_word stream) {
  struct gw_device *device = atomic_load_explicit(&gw_only_device, memory_order_acquire);
  if (!GW_LIKELY(device != NULL) && (device = gw_device_find()) == NULL) {
    return NULL;
  }
  return gw_device_unless_captured(device, stream);
}

/* The same for a copy or memset, whose stream may belong to another device than the current one. */
static inline struct gw_device *gw_device_of_copy(gw_word stream) {
  struct gw_device *device = atomic_load_explicit(&gw_only_device, memory_order_acquire);
  if (!GW_LIKELY(device != NULL) && (device = gw_device_find_of(stream)) == NULL) {
    return NULL;
  }
  return gw_device_unless_captured(device, stream);
}

static inline gw_task *gw_device_task(struct gw_device *device) {
  return gw_thread_task(device->page, device->task);
}

static inline unsigned gw_stream_slot(gw_word stream) {
  return (unsigned)(stream ^ stream >> 5 ^ stream >> 11) % GW_STREAM_SLOTS;
}

static inline bool gw_device_uses(const struct gw_device *device, gw_word stream) {
  const _Atomic gw_word *slot = &device->used[gw_stream_slot(stream)];
  return GW_LIKELY(atomic_load_explicit(slot, memory_order_relaxed) == (stream << 1 | 1));
}

static inline void gw_device_use(struct gw_device *device, gw_word stream) {
  if (!gw_device_uses(device, stream)) {
    gw_device_mark(device, stream);
  }
}

#endif
