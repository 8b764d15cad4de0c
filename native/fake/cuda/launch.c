/* Every way to launch a kernel. */
#include "../engine/fake.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

struct config { /* of cuLaunchKernelEx */
  unsigned grid[3], block[3], shared;
  uintptr_t stream;
};

int fake_launch(struct op work, uintptr_t handle, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result != SUCCESS) {
    return result;
  }
  if (stream->capture != NULL) {
    graph_add(stream->capture, work);
  } else if (work.ns != 0 || !engine_stream_free(stream)) {
    engine_submit(stream, work);
  }
  engine_unlock();
  return SUCCESS;
}

#define LAUNCH_PARAMETERS                                                                          \
  struct function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,      \
      unsigned bz, unsigned shared, uintptr_t stream, void **parameters

static int launch(const struct function *function, unsigned gx, uintptr_t stream, bool per_thread,
                  void **parameters) {
  if (function == NULL || gx == 0) {
    return function == NULL ? INVALID_HANDLE : INVALID_VALUE;
  }
  struct op work = {.kind = OP_WORK, .ns = function->ns, .of = function->kind};
  if (function->timed && parameters != NULL) {
    work.ns = *(uint64_t *)parameters[0];
    work.began = *(uint64_t **)parameters[1];
    work.ended = *(uint64_t **)parameters[2];
  }
  return fake_launch(work, stream, per_thread);
}

PAIR(cuLaunchKernel, _ptsz, (LAUNCH_PARAMETERS, void **extra),
     return launch(function, gx, stream, per_thread, parameters););
PAIR(cuLaunchCooperativeKernel, _ptsz, (LAUNCH_PARAMETERS),
     return launch(function, gx, stream, per_thread, parameters););
PAIR(cuLaunchKernelEx, _ptsz,
     (const struct config *config, struct function *function, void **parameters, void **extra),
     return config == NULL
                ? INVALID_VALUE
                : launch(function, config->grid[0], config->stream, per_thread, parameters););
