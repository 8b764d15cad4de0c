/* Every way to launch a kernel. */
#include "fake.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

struct function {
  uint64_t ns;
};

struct config { /* of cuLaunchKernelEx */
  unsigned grid[3], block[3], shared;
  uintptr_t stream;
};

int fake_launch(uint64_t ns, uintptr_t handle, bool per_thread) {
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
    return fake_launch(function->ns, stream, per_thread);                                          \
  }
LAUNCH(cuLaunchKernel, false, , void **extra)
LAUNCH(cuLaunchKernel_ptsz, true, , void **extra)
LAUNCH(cuLaunchCooperativeKernel, false)
LAUNCH(cuLaunchCooperativeKernel_ptsz, true)

FAKE int cuLaunchKernelEx(const struct config *config, struct function *function, void **parameters,
                          void **extra) {
  CALL(cuLaunchKernelEx)
  return config == NULL ? INVALID_VALUE : fake_launch(function->ns, config->stream, false);
}

FAKE int cuLaunchKernelEx_ptsz(const struct config *config, struct function *function,
                               void **parameters, void **extra) {
  CALL(cuLaunchKernelEx_ptsz)
  return config == NULL ? INVALID_VALUE : fake_launch(function->ns, config->stream, true);
}
