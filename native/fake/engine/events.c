/* Events. */
#include <stdlib.h>

#include "fake.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

FAKE int cuEventCreate(struct event **event, unsigned flags) {
  CALL(cuEventCreate)
  *event = calloc(1, sizeof **event);
  return SUCCESS;
}

FAKE int cuEventDestroy_v2(struct event *event) {
  CALL(cuEventDestroy_v2)
  engine_lock();
  engine_wait_event(event);
  engine_unlock();
  free(event);
  return SUCCESS;
}

static int record(struct event *event, uintptr_t handle, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result == SUCCESS) {
    if (stream->capture != NULL) {
      /* A graph must show a node that the program did not ask for. */
      graph_add(stream->capture, (struct op){.kind = OP_WORK});
      event->capture = stream->capture;
    } else {
      event->capture = NULL;
      engine_record(event, stream);
    }
    engine_unlock();
  }
  return result;
}

PAIR(cuEventRecord, _ptsz, (struct event * event, uintptr_t stream),
     return record(event, stream, per_thread););

/* A capture in global mode is invalidated when a thread makes a potentially unsafe query. */
static int forbid(void) {
  if (fake_captures == 0 || fake_capture_mode == 2) {
    return SUCCESS;
  }
  for (int i = 0; i < DEVICES; i++) {
    for (struct stream *s = fake_contexts[i].streams; s != NULL; s = s->next) {
      s->invalidated = s->invalidated || s->capture != NULL;
    }
  }
  return CAPTURE_UNSUPPORTED;
}

FAKE int cuEventQuery(struct event *event) {
  CALL(cuEventQuery)
  engine_lock();
  int result = forbid();
  if (result == SUCCESS && event->done_version < event->version) {
    result = NOT_READY;
  }
  engine_unlock();
  return result;
}

FAKE int cuEventSynchronize(struct event *event) {
  CALL(cuEventSynchronize)
  engine_lock();
  int result = forbid();
  if (result == SUCCESS) {
    engine_wait_event(event);
  }
  engine_unlock();
  return result;
}

FAKE int cuEventElapsedTime(float *ms, struct event *start, struct event *end) {
  CALL(cuEventElapsedTime)
  if (!start->recorded || !end->recorded) {
    return INVALID_HANDLE;
  }
  if (start->done_version < start->version || end->done_version < end->version) {
    return NOT_READY;
  }
  *ms = (float)((double)(int64_t)(end->ns - start->ns) / 1e6);
  return SUCCESS;
}
