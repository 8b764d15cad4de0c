/* Stands in for the HIP runtime in tests of forwarding: each call appends its arguments, by its
 * real signature, to a text that the test reads. */
#include <stdio.h>

#include "hip_api.h"

__attribute__((visibility("default"))) char echo_text[1024];

#define SAY(...) snprintf(echo_text, sizeof echo_text, __VA_ARGS__)
#define D3(d) (d).x, (d).y, (d).z
#define MODULE "%p %u %u %u %u %u %u"
#define MODULE_ARGUMENTS (void *)f, gx, gy, gz, bx, by, bz

int hipLaunchKernel(const void *f, dim3 grid, dim3 block, void **arguments, size_t shared,
                    hipStream_t stream) {
  SAY("%p %u %u %u %u %u %u %p %zu %p", f, D3(grid), D3(block), (void *)arguments, shared,
      (void *)stream);
  return 7;
}

int hipExtLaunchKernel(const void *f, dim3 grid, dim3 block, void **arguments, size_t shared,
                       hipStream_t stream, hipEvent_t start, hipEvent_t stop, int flags) {
  SAY("%p %u %u %u %u %u %u %p %zu %p %p %p %d", f, D3(grid), D3(block), (void *)arguments, shared,
      (void *)stream, (void *)start, (void *)stop, flags);
  return 7;
}

int hipLaunchCooperativeKernel(const void *f, dim3 grid, dim3 block, void **arguments,
                               unsigned shared, hipStream_t stream) {
  SAY("%p %u %u %u %u %u %u %p %u %p", f, D3(grid), D3(block), (void *)arguments, shared,
      (void *)stream);
  return 7;
}

int hipModuleLaunchKernel(HIP_OF_MODULE, unsigned shared, hipStream_t stream, void **arguments,
                          void **extra) {
  SAY(MODULE " %u %p %p %p", MODULE_ARGUMENTS, shared, (void *)stream, (void *)arguments,
      (void *)extra);
  return 7;
}

int hipExtModuleLaunchKernelCxx(HIP_WITH_EVENTS, unsigned flags) {
  SAY(MODULE " %zu %p %p %p %p %p %u", MODULE_ARGUMENTS, shared, (void *)stream, (void *)arguments,
      (void *)extra, (void *)start, (void *)stop, flags);
  return 7;
}

int hipMemset3D(hipPitchedPtr memory, int value, hipExtent extent) {
  SAY("%p %zu %zu %zu %d %zu %zu %zu", memory.ptr, memory.pitch, memory.width, memory.height, value,
      extent.width, extent.height, extent.depth);
  return 7;
}

int hipMemset3DAsync(hipPitchedPtr memory, int value, hipExtent extent, hipStream_t stream) {
  SAY("%p %zu %zu %zu %d %zu %zu %zu %p", memory.ptr, memory.pitch, memory.width, memory.height,
      value, extent.width, extent.height, extent.depth, (void *)stream);
  return 7;
}
