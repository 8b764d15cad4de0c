/* Captures and graphs. A graph knows how long it takes and how many nodes it has. */
#include <stdlib.h>

#include "fake.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

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
    fake_all_captures++;
    fake_captures += mode == 0;
  }
  engine_unlock();
  return result;
}

PAIR(cuStreamBeginCapture_v2, _ptsz, (uintptr_t stream, int mode),
     return begin(stream, mode, per_thread););

static int end(uintptr_t handle, bool per_thread, struct graph **graph) {
  int result = 401; /* CUDA_ERROR_ILLEGAL_STATE */
  engine_lock();
  struct stream *stream = stream_of(handle, per_thread);
  if (stream->capture != NULL) {
    *graph = stream->invalidated ? NULL : stream->capture;
    result = stream->invalidated ? CAPTURE_INVALIDATED : SUCCESS;
    stream->capture = NULL;
    fake_all_captures--;
    fake_captures -= fake_captures > 0;
  }
  engine_unlock();
  return result;
}

PAIR(cuStreamEndCapture, _ptsz, (uintptr_t stream, struct graph **graph),
     return end(stream, per_thread, graph););

static int is_capturing(uintptr_t handle, bool per_thread, int *status) {
  if (handle <= 2 && fake_current == NULL) {
    return INVALID_CONTEXT;
  }
  engine_lock();
  struct stream *stream = stream_of(handle, per_thread);
  bool implicit = false;
  for (struct stream *s = stream->legacy ? stream->context->streams : NULL; s != NULL;
       s = s->next) {
    implicit = implicit || (s->capture != NULL && s->blocking);
  }
  *status = stream->capture == NULL ? 0 : stream->invalidated ? 2 : 1;
  engine_unlock();
  return implicit ? CAPTURE_IMPLICIT : SUCCESS;
}

PAIR(cuStreamIsCapturing, _ptsz, (uintptr_t stream, int *status),
     return is_capturing(stream, per_thread, status););

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

PAIR(cuGraphLaunch, _ptsz, (struct graph * exec, uintptr_t stream),
     return exec == NULL ? INVALID_HANDLE : fake_launch(exec->ns, stream, per_thread););

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
