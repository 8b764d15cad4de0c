/* The hooks that are not on the way of a launch. */
#include "hooks.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *name, const void *hook) {
  return strcmp(name, gw_names[((const struct gw_hook *)hook)->id]);
}

void *gw_hook_of(const char *name) {
  const struct gw_hook *found = /* ids are in the order of names */
      bsearch(name, gw_hooks, gw_hook_count, sizeof *gw_hooks, by_name);
  return found != NULL ? found->hook : NULL;
}

gw_task *gw_current_task(void) {
  struct gw_device *device = gw_device_known();
  return device != NULL ? gw_device_task(device) : NULL;
}

/* A copy for another device than the current one only passes its gate: the events and gates of the
 * shim belong to the current one. */
void gw_before_submission(struct gw_call *call, gw_task *task, enum gw_work work) {
  gw_call_wait(); /* the way of the launch is decided when the process is not parked */
  if (work >= GW_MEMSET && gw_device_known() != call->device) {
    gw_admit(task);
    return;
  }
  call->submission.stream = call->stream;
  call->submission.key = call->key;
  gw_submit_begin(&call->device->windows, task, gw_outranked(task), work, &call->submission);
}

void gw_submitted_late(const struct gw_call *call) {
  gw_device_mark(call->device, call->stream);
  gw_resume(gw_device_task(call->device));
}

/* Waits for the device that name no stream: for an event, or for all work that a call implies. */
void gw_before_wait(struct gw_call *call) {
  gw_call_begin();
  gw_lend(gw_current_task(), &call->loan);
}

void gw_after_wait(struct gw_call *call, int result) {
  (void)result;
  gw_lend_end(&call->loan);
  gw_call_end();
}

void gw_before_sync(struct gw_call *call) {
  gw_before_wait(call);
  struct gw_device *device = gw_device_known_of(call->stream);
  if (device != NULL) {
    gw_device_sync_begin(device, call->stream);
  }
}

void gw_after_sync(struct gw_call *call, int result) {
  gw_after_wait(call, result);
  struct gw_device *device = gw_device_known_of(call->stream);
  if (device != NULL && result == 0) {
    gw_device_sync_end(device, call->stream);
  }
}

/* A program may query a stream until its work is done, instead of waiting. */
void gw_before_stream_query(struct gw_call *call) {
  gw_call_begin();
  struct gw_device *device = gw_device_known_of(call->stream);
  if (device != NULL) {
    gw_device_sync_begin(device, call->stream);
  }
}

void gw_after_stream_query(struct gw_call *call, int result) {
  gw_call_end();
  struct gw_device *device = gw_device_known_of(call->stream);
  if (device != NULL && result == 0) {
    gw_device_sync_end(device, call->stream);
  }
}

void gw_before_sync_all(struct gw_call *call) {
  gw_before_wait(call);
  struct gw_device *device = gw_device_known();
  for (int i = 0; device != NULL && i < GW_STREAM_SLOTS; i++) {
    gw_word used = atomic_load_explicit(&device->used[i], memory_order_relaxed);
    if (used != 0) {
      gw_device_sync_begin(device, used >> 1);
    }
  }
}

void gw_after_sync_all(struct gw_call *call, int result) {
  gw_after_wait(call, result);
  struct gw_device *device = gw_device_known();
  for (int i = 0; device != NULL && result == 0 && i < GW_STREAM_SLOTS; i++) {
    gw_word used = atomic_load_explicit(&device->used[i], memory_order_relaxed);
    if (used != 0 && (used & 1) == 0) {
      gw_device_sync_end(device, used >> 1);
    }
  }
}

void gw_before_stream_destroy(struct gw_call *call) {
  gw_device_forget_stream(call->stream);
  gw_capture_remove(call->stream);
}

void gw_after_stream_destroy(struct gw_call *call, int result) { (void)call, (void)result; }

/* The context of a call that names none may be any. */
void gw_before_context_destroy(struct gw_call *call) {
  gw_word named = call->stream != GW_STREAM_LEGACY ? call->stream : 0;
  call->key = named != 0 ? named : gw_driver_current_context();
  gw_device_forget_context(named);
}

/* Code has gone: another function may get the handle of one of its functions. */
static void forget_code(void) {
  gw_device_forget_kinds();
  gw_trace_forget_kernels();
  gw_collective_forget();
}

/* With the context go its code and the captures on its streams. One that is not named is taken to
 * be current to the program. */
void gw_after_green_destroy(struct gw_call *call, int result) {
  if (result == 0) {
    gw_capture_forget(call->key);
    forget_code();
  }
}

void gw_before_green_destroy(struct gw_call *call) { gw_before_context_destroy(call); }

void gw_after_context_destroy(struct gw_call *call, int result) {
  gw_after_green_destroy(call, result);
  if (result == 0) {
    gw_memory_forget_context(call->key);
    gw_after_graph_pool(call, result);
  }
}

void gw_before_context_release(struct gw_call *call) { gw_before_context_destroy(call); }

/* The context is destroyed when nothing in the process retains it any more. */
void gw_after_context_release(struct gw_call *call, int result) {
  struct gw_device *device = gw_device_known();
  if (gw_driver_current_device() < 0) {
    gw_after_context_destroy(call, result);
  } else if (device != NULL) {
    gw_device_note_context(device, gw_driver_current_context());
  }
}

void gw_passed(struct gw_call *call) {
  struct gw_device *device;
  if (gw_stream_gates_in_graphs() != 0 && atomic_load(&gw_captures) != 0 &&
      (device = gw_device_known()) != NULL) {
    gw_submit_captured(&device->windows, gw_device_task(device), call->stream);
  }
}

/* After this no thread queries the stream until it leaves the set. */
static void may_be_captured(struct gw_call *call) {
  call->key = gw_capture_add(call->stream);
  gw_device_await_query(0);
  if (gw_driver_events_touch_streams) {
    gw_device_forget_fences(call->stream);
  }
}

void gw_before_capture_begin(struct gw_call *call) {
  struct gw_device *device = gw_device_find();
  if (device != NULL) {
    gw_submit_capture_begin(&device->windows, gw_device_task(device));
  }
  may_be_captured(call);
}

void gw_after_capture_begin(struct gw_call *call, int result) {
  if (result == 0) {
    gw_capture_confirm(call->stream, GW_CAPTURE_ORIGIN);
  } else if (call->key) {
    gw_capture_remove(call->stream);
  }
}

/* The call ends most captures also where it returns an error. */
void gw_before_capture_end(struct gw_call *call) { (void)call; }

void gw_after_capture_end(struct gw_call *call, int result) {
  if (gw_capture_has(call->stream) && (result == 0 || !gw_driver_capturing(call->stream))) {
    gw_capture_remove(call->stream);
  }
}

void gw_before_join(struct gw_call *call) { may_be_captured(call); }

void gw_after_join(struct gw_call *call) {
  if (gw_driver_capturing(call->stream)) {
    gw_capture_confirm(call->stream, GW_CAPTURE_JOINED);
  } else {
    gw_capture_remove(call->stream);
  }
}

void gw_before_unload(struct gw_call *call) { (void)call; }

void gw_after_unload(struct gw_call *call, int result) {
  (void)call, (void)result;
  forget_code();
}
