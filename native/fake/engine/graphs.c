/* Captures and graphs. */
#include <stdlib.h>
#include <string.h>

#include "fake.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

void graph_add(struct graph *graph, struct op op) {
  graph->ops = realloc(graph->ops, (graph->count + 1) * sizeof op);
  graph->ops[graph->count++] = op;
}

/* With a graph, the capture adds nodes to it. */
static int begin(uintptr_t handle, struct graph *graph, int mode, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result != SUCCESS) {
    return result;
  }
  if (stream->legacy || stream->capture != NULL) {
    result = CAPTURE_UNSUPPORTED;
  } else {
    stream->capture = graph != NULL ? graph : calloc(1, sizeof *stream->capture);
    stream->invalidated = false;
    stream->origin = true;
    stream->global = mode == 0;
    fake_all_captures++;
    fake_captures += stream->global;
  }
  engine_unlock();
  return result;
}

PAIR(cuStreamBeginCapture_v2, _ptsz, (uintptr_t stream, int mode),
     return begin(stream, NULL, mode, per_thread););
PAIR(cuStreamBeginCaptureToGraph, _ptsz,
     (uintptr_t stream, struct graph *graph, const void *nodes, const void *data, size_t count,
      int mode),
     return begin(stream, graph, mode, per_thread););

#define RELAXED 2

PAIR(cuStreamBeginRecaptureToGraph, _ptsz,
     (uintptr_t stream, int mode, struct graph *graph, void *changed, void *data),
     return begin(stream, graph, mode, per_thread););
PAIR(cuStreamBeginCaptureToCig, _ptsz, (uintptr_t stream, void *parameters),
     return begin(stream, NULL, RELAXED, per_thread););

void capture_end(struct stream *stream) {
  struct graph *capture = stream->capture;
  fake_all_captures--;
  fake_captures -= stream->global;
  for (struct stream *s = stream->context->streams; s != NULL; s = s->next) {
    s->capture = s->capture == capture ? NULL : s->capture;
  }
  stream->origin = stream->global = false;
}

static int end(uintptr_t handle, bool per_thread, struct graph **graph) {
  int result = 401; /* CUDA_ERROR_ILLEGAL_STATE */
  engine_lock();
  struct stream *stream = stream_of(handle, per_thread);
  if (stream->capture != NULL && stream->origin) {
    bool invalidated = false;
    for (struct stream *s = stream->context->streams; s != NULL; s = s->next) {
      invalidated = invalidated || (s->capture == stream->capture && s->invalidated);
    }
    *graph = invalidated ? NULL : stream->capture;
    result = invalidated ? CAPTURE_INVALIDATED : SUCCESS;
    capture_end(stream);
  }
  engine_unlock();
  return result;
}

PAIR(cuStreamEndCapture, _ptsz, (uintptr_t stream, struct graph **graph),
     return end(stream, per_thread, graph););

/* What was captured goes to the graphics client. */
static int end_to_client(uintptr_t stream, bool per_thread) {
  struct graph *graph = NULL;
  int result = end(stream, per_thread, &graph);
  if (graph != NULL) {
    free(graph->ops);
    free(graph);
  }
  return result;
}

PAIR(cuStreamEndCaptureToCig, _ptsz, (uintptr_t stream), return end_to_client(stream, per_thread););

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
  **exec =
      (struct graph){malloc(graph->count * sizeof *graph->ops + 1), graph->count, graph->allocates};
  memcpy((*exec)->ops, graph->ops, graph->count * sizeof *graph->ops);
  return SUCCESS;
}

FAKE int cuGraphGetNodes(struct graph *graph, void **nodes, size_t *count) {
  CALL(cuGraphGetNodes)
  *count = graph->count;
  return nodes == NULL ? SUCCESS : INVALID_VALUE;
}

static int graph_launch(const struct graph *exec, uintptr_t handle, bool per_thread) {
  struct stream *stream;
  int result = exec == NULL ? INVALID_HANDLE : stream_enter(handle, per_thread, &stream);
  if (result == SUCCESS && !graph_fill_pool(exec, stream->context->device)) {
    engine_unlock();
    return OUT_OF_MEMORY;
  }
  for (size_t i = 0; result == SUCCESS && i < exec->count; i++) {
    if (stream->capture != NULL) {
      graph_add(stream->capture, exec->ops[i]);
    } else {
      engine_submit(stream, exec->ops[i]);
    }
  }
  if (result == SUCCESS) {
    engine_unlock();
  }
  return result;
}

PAIR(cuGraphLaunch, _ptsz, (struct graph * exec, uintptr_t stream),
     return graph_launch(exec, stream, per_thread););

FAKE int cuGraphExecUpdate_v2(struct graph *exec, const struct graph *graph, void *result) {
  CALL(cuGraphExecUpdate_v2)
  if (graph == NULL || graph->count != exec->count) {
    return 910; /* CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE */
  }
  engine_lock();
  memcpy(exec->ops, graph->ops, graph->count * sizeof *graph->ops);
  engine_unlock();
  return SUCCESS;
}

FAKE int cuGraphExecDestroy(struct graph *exec) {
  CALL(cuGraphExecDestroy)
  free(exec->ops);
  free(exec);
  return SUCCESS;
}

FAKE int cuGraphDestroy(struct graph *graph) {
  CALL(cuGraphDestroy)
  free(graph->ops);
  free(graph);
  return SUCCESS;
}
