/* Streams, and their look-up by handle. */
#include <stdlib.h>

#include "fake.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

int fake_captures;
__thread int fake_capture_mode;
static __thread struct stream *per_thread_stream;
int fake_all_captures;

static void link_stream(struct stream *stream, struct context *context) {
  stream->context = context;
  stream->next = context->streams;
  context->streams = stream;
}

struct stream *stream_of(uintptr_t handle, bool per_thread) {
  if (handle == 0) {
    handle = per_thread ? 2 : 1;
  }
  if (handle == 1) {
    return &fake_current->legacy;
  }
  if (handle == 2) { /* per-thread stream: tests use one device with it; it outlives its thread */
    if (per_thread_stream == NULL) {
      per_thread_stream = calloc(1, sizeof *per_thread_stream);
      per_thread_stream->blocking = true;
      link_stream(per_thread_stream, fake_current);
    }
    return per_thread_stream;
  }
  return (struct stream *)handle;
}

int stream_enter(uintptr_t handle, bool per_thread, struct stream **stream) {
  if (handle <= 2 && (fake_current == NULL || !fake_current->alive)) {
    return INVALID_CONTEXT;
  }
  engine_lock();
  *stream = stream_of(handle, per_thread);
  if ((*stream)->legacy && fake_all_captures != 0) {
    for (struct stream *s = (*stream)->context->streams; s != NULL; s = s->next) {
      if (s->capture != NULL && s->blocking) {
        s->invalidated = true;
        engine_unlock();
        return CAPTURE_IMPLICIT;
      }
    }
  }
  return SUCCESS;
}

FAKE int cuStreamCreateWithPriority(struct stream **stream, unsigned flags, int priority) {
  CALL(cuStreamCreateWithPriority)
  if (fake_current == NULL) {
    return INVALID_CONTEXT;
  }
  engine_lock();
  *stream = calloc(1, sizeof **stream);
  (*stream)->blocking = (flags & 1) == 0;
  link_stream(*stream, fake_current);
  engine_unlock();
  return SUCCESS;
}

FAKE int cuStreamCreate(struct stream **stream, unsigned flags) {
  CALL(cuStreamCreate)
  return cuStreamCreateWithPriority(stream, flags, 0);
}

static int get_flags(uintptr_t handle, unsigned *flags, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result == SUCCESS) {
    *flags = !stream->legacy && !stream->blocking;
    engine_unlock();
  }
  return result;
}

PAIR(cuStreamGetFlags, _ptsz, (uintptr_t stream, unsigned *flags),
     return get_flags(stream, flags, per_thread););

FAKE int cuStreamDestroy_v2(struct stream *stream) {
  CALL(cuStreamDestroy_v2)
  engine_lock();
  if (stream->origin) {
    capture_end(stream);
  }
  engine_wait_stream(stream);
  struct stream **at = &stream->context->streams;
  while (*at != NULL && *at != stream) {
    at = &(*at)->next;
  }
  if (*at == stream) {
    *at = stream->next;
  }
  engine_unlock();
  free(stream);
  return SUCCESS;
}

static int wait_for(uintptr_t handle, bool per_thread, bool query) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result != SUCCESS) {
    return result;
  }
  if (stream->capture != NULL) {
    stream->invalidated = true;
    result = CAPTURE_UNSUPPORTED;
  } else if (query) {
    result = engine_stream_busy(stream) ? NOT_READY : SUCCESS;
  } else {
    engine_wait_stream(stream);
  }
  engine_unlock();
  return result;
}

PAIR(cuStreamSynchronize, _ptsz, (uintptr_t stream), return wait_for(stream, per_thread, false););
PAIR(cuStreamQuery, _ptsz, (uintptr_t stream), return wait_for(stream, per_thread, true););

static int get_context(uintptr_t handle, struct context **context, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result == SUCCESS) {
    *context = stream->context;
    engine_unlock();
  }
  return result;
}

PAIR(cuStreamGetCtx, _ptsz, (uintptr_t stream, struct context **context),
     return get_context(stream, context, per_thread););

FAKE int cuCtxSynchronize(void) {
  CALL(cuCtxSynchronize)
  if (fake_current == NULL) {
    return INVALID_CONTEXT;
  }
  engine_lock();
  engine_wait_stream(&fake_current->legacy);
  for (struct stream *s = fake_current->streams; s != NULL; s = s->next) {
    engine_wait_stream(s);
  }
  engine_unlock();
  return SUCCESS;
}

static int wait_event(uintptr_t handle, struct event *event, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result == SUCCESS) {
    if (event->capture != NULL && stream->capture == NULL) {
      stream->capture = event->capture; /* the stream joins */
      stream->invalidated = false;
    } else if (stream->capture == NULL && event->done_version < event->version) {
      engine_submit(stream,
                    (struct op){.kind = OP_WAIT_EVENT, .event = event, .version = event->version});
    }
    engine_unlock();
  }
  return result;
}

PAIR(cuStreamWaitEvent, _ptsz, (uintptr_t stream, struct event *event, unsigned flags),
     return wait_event(stream, event, per_thread););

static int value_op(uintptr_t handle, enum op_kind kind, void *address, uint32_t value) {
  struct stream *stream;
  int result = stream_enter(handle, false, &stream);
  if (result == SUCCESS) {
    struct op op = {.kind = kind, .word = address, .value = value};
    if (stream->capture != NULL) {
      graph_add(stream->capture, op);
    } else {
      engine_submit(stream, op);
    }
    engine_unlock();
  }
  return result;
}

FAKE int cuStreamWaitValue32_v2(uintptr_t stream, void *address, uint32_t value, unsigned flags) {
  CALL(cuStreamWaitValue32_v2)
  return value_op(stream, OP_WAIT_VALUE, address, value);
}

FAKE int cuStreamWriteValue32_v2(uintptr_t stream, void *address, uint32_t value, unsigned flags) {
  CALL(cuStreamWriteValue32_v2)
  return value_op(stream, OP_WRITE_VALUE, address, value);
}
