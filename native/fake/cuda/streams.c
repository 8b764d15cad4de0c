/* Streams, launches, events, captures and graphs. */
#include <stdlib.h>

#include "fake.h"

int fake_captures;
__thread int fake_capture_mode;
static __thread struct stream *per_thread_stream;
static int all_captures;

struct function {
  uint64_t ns;
};

struct config { /* of cuLaunchKernelEx */
  unsigned grid[3], block[3], shared;
  uintptr_t stream;
};

static void link_stream(struct stream *stream, struct context *context) {
  stream->context = context;
  stream->next = context->streams;
  context->streams = stream;
}

static struct stream *find(uintptr_t handle, bool per_thread) {
  if (handle == 0) {
    handle = per_thread ? 2 : 1;
  }
  if (handle == 1) {
    return &fake_current->legacy;
  }
  if (handle == 2) { /* tests use one device with it; it outlives its thread */
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
  *stream = find(handle, per_thread);
  if ((*stream)->legacy && all_captures != 0) {
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

/* ---- launches ---- */

static int launch(uint64_t ns, uintptr_t handle, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result != SUCCESS) {
    return result;
  }
  if (stream->capture != NULL) {
    stream->capture->ns += ns;
    stream->capture->kernels++;
  } else if (ns != 0 || !engine_stream_free(stream)) {
    engine_submit(stream, (struct op){.kind = OP_WORK, .ns = ns});
  }
  engine_unlock();
  return SUCCESS;
}

#define LAUNCH_PARAMETERS                                                                          \
  struct function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,      \
      unsigned bz, unsigned shared, uintptr_t stream, void **parameters
#define LAUNCH(name, per_thread, ...)                                                              \
  FAKE int name(LAUNCH_PARAMETERS __VA_ARGS__) {                                                   \
    CALL(name)(void) gy, (void)gz, (void)bx, (void)by, (void)bz, (void)shared, (void)parameters;   \
    if (function == NULL || gx == 0) {                                                             \
      return function == NULL ? INVALID_HANDLE : INVALID_VALUE;                                    \
    }                                                                                              \
    return launch(function->ns, stream, per_thread);                                               \
  }
#pragma GCC diagnostic ignored "-Wunused-parameter"
LAUNCH(cuLaunchKernel, false, , void **extra)
LAUNCH(cuLaunchKernel_ptsz, true, , void **extra)
LAUNCH(cuLaunchCooperativeKernel, false)
LAUNCH(cuLaunchCooperativeKernel_ptsz, true)

FAKE int cuLaunchKernelEx(const struct config *config, struct function *function, void **parameters,
                          void **extra) {
  CALL(cuLaunchKernelEx)
  return config == NULL ? INVALID_VALUE : launch(function->ns, config->stream, false);
}

FAKE int cuLaunchKernelEx_ptsz(const struct config *config, struct function *function,
                               void **parameters, void **extra) {
  CALL(cuLaunchKernelEx_ptsz)
  return config == NULL ? INVALID_VALUE : launch(function->ns, config->stream, true);
}

/* ---- streams ---- */

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

FAKE int cuStreamDestroy_v2(struct stream *stream) {
  CALL(cuStreamDestroy_v2)
  engine_lock();
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

FAKE int cuStreamSynchronize(uintptr_t stream) {
  CALL(cuStreamSynchronize)
  return wait_for(stream, false, false);
}

FAKE int cuStreamSynchronize_ptsz(uintptr_t stream) {
  CALL(cuStreamSynchronize_ptsz)
  return wait_for(stream, true, false);
}

FAKE int cuStreamQuery(uintptr_t stream) {
  CALL(cuStreamQuery)
  return wait_for(stream, false, true);
}

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

FAKE int cuStreamWaitEvent(uintptr_t handle, struct event *event, unsigned flags) {
  CALL(cuStreamWaitEvent)
  struct stream *stream;
  int result = stream_enter(handle, false, &stream);
  if (result == SUCCESS) {
    if (event->done_version < event->version) {
      engine_submit(stream,
                    (struct op){.kind = OP_WAIT_EVENT, .event = event, .version = event->version});
    }
    engine_unlock();
  }
  return result;
}

static int value_op(uintptr_t handle, enum op_kind kind, void *address, uint32_t value) {
  struct stream *stream;
  int result = stream_enter(handle, false, &stream);
  if (result == SUCCESS) {
    engine_submit(stream, (struct op){.kind = kind, .word = address, .value = value});
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

/* ---- events ---- */

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
      stream->capture->kernels++; /* a node that the program did not ask for would show here */
    } else {
      engine_record(event, stream);
    }
    engine_unlock();
  }
  return result;
}

FAKE int cuEventRecord(struct event *event, uintptr_t stream) {
  CALL(cuEventRecord)
  return record(event, stream, false);
}

FAKE int cuEventRecord_ptsz(struct event *event, uintptr_t stream) {
  CALL(cuEventRecord_ptsz)
  return record(event, stream, true);
}

/* A capture in global mode is lost when a thread asks what might not be safe. */
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

/* ---- captures and graphs ---- */

static int begin(uintptr_t handle, int mode, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result != SUCCESS) {
    return result;
  }
  if (stream->legacy || stream->capture != NULL) {
    result = CAPTURE_UNSUPPORTED;
  } else {
    stream->capture = calloc(1, sizeof *stream->capture);
    stream->invalidated = false;
    all_captures++;
    fake_captures += mode == 0;
  }
  engine_unlock();
  return result;
}

FAKE int cuStreamBeginCapture_v2(uintptr_t stream, int mode) {
  CALL(cuStreamBeginCapture_v2)
  return begin(stream, mode, false);
}

FAKE int cuStreamEndCapture(uintptr_t handle, struct graph **graph) {
  CALL(cuStreamEndCapture)
  struct stream *stream;
  engine_lock();
  stream = find(handle, false);
  int result = SUCCESS;
  if (stream->capture == NULL) {
    result = 401; /* CUDA_ERROR_ILLEGAL_STATE */
  } else {
    *graph = stream->invalidated ? NULL : stream->capture;
    result = stream->invalidated ? CAPTURE_INVALIDATED : SUCCESS;
    stream->capture = NULL;
    all_captures--;
    fake_captures -= fake_captures > 0;
  }
  engine_unlock();
  return result;
}

FAKE int cuStreamIsCapturing(uintptr_t handle, int *status) {
  CALL(cuStreamIsCapturing)
  struct stream *stream;
  if (handle <= 2 && fake_current == NULL) {
    return INVALID_CONTEXT;
  }
  engine_lock();
  stream = find(handle, false);
  bool implicit = false;
  for (struct stream *s = stream->legacy ? stream->context->streams : NULL; s != NULL;
       s = s->next) {
    implicit = implicit || (s->capture != NULL && s->blocking);
  }
  *status = stream->capture == NULL ? 0 : stream->invalidated ? 2 : 1;
  engine_unlock();
  return implicit ? CAPTURE_IMPLICIT : SUCCESS;
}

FAKE int cuThreadExchangeStreamCaptureMode(int *mode) {
  CALL(cuThreadExchangeStreamCaptureMode)
  int before = fake_capture_mode;
  fake_capture_mode = *mode;
  *mode = before;
  return SUCCESS;
}

FAKE int cuGraphInstantiateWithFlags(struct graph **exec, struct graph *graph, uint64_t flags) {
  CALL(cuGraphInstantiateWithFlags)
  *exec = malloc(sizeof **exec);
  **exec = *graph;
  return SUCCESS;
}

FAKE int cuGraphGetNodes(struct graph *graph, void **nodes, size_t *count) {
  CALL(cuGraphGetNodes)
  *count = graph->kernels;
  return nodes == NULL ? SUCCESS : INVALID_VALUE;
}

FAKE int cuGraphLaunch(struct graph *exec, uintptr_t stream) {
  CALL(cuGraphLaunch)
  return launch(exec->ns, stream, false);
}

FAKE int cuGraphExecDestroy(struct graph *exec) {
  CALL(cuGraphExecDestroy)
  free(exec);
  return SUCCESS;
}

FAKE int cuGraphDestroy(struct graph *graph) {
  CALL(cuGraphDestroy)
  free(graph);
  return SUCCESS;
}
