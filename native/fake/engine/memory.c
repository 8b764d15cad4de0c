/* Device memory is the process's own memory. A stream executes a copy when it reaches the copy. */
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static int allocate(void **memory, size_t size) {
  if (size == 0) {
    return INVALID_VALUE;
  }
  *memory = malloc(size);
  return *memory != NULL ? SUCCESS : OUT_OF_MEMORY;
}

/* A capture in global mode forbids calls that may wait for the device, and is invalidated by them.
 */
static bool forbidden(void) { return fake_captures != 0 && fake_capture_mode == 0; }

FAKE int cuMemAlloc_v2(void **memory, size_t size) {
  CALL(cuMemAlloc_v2)
  return forbidden() ? CAPTURE_UNSUPPORTED : allocate(memory, size);
}

FAKE int cuMemFree_v2(void *memory) {
  CALL(cuMemFree_v2)
  free(memory);
  return SUCCESS;
}

FAKE int cuMemHostAlloc(void **memory, size_t size, unsigned flags) {
  CALL(cuMemHostAlloc)(void) flags;
  return allocate(memory, size);
}

/* The fake device has the process's own addresses. */
FAKE int cuMemHostRegister_v2(void *memory, size_t size, unsigned flags) {
  CALL(cuMemHostRegister_v2)(void) memory, (void)size, (void)flags;
  return forbidden() ? CAPTURE_UNSUPPORTED : SUCCESS;
}

FAKE int cuMemHostGetDevicePointer_v2(void **address, void *memory, unsigned flags) {
  CALL(cuMemHostGetDevicePointer_v2)(void) flags;
  *address = memory;
  return SUCCESS;
}

/* A handle has the address at its end, and opens in the same process only. */
struct ipc_handle {
  char bytes[56];
  void *memory;
};

FAKE int cuIpcGetMemHandle(struct ipc_handle *handle, void *memory) {
  CALL(cuIpcGetMemHandle)
  *handle = (struct ipc_handle){.memory = memory};
  return memory != NULL ? SUCCESS : INVALID_VALUE;
}

FAKE int cuIpcOpenMemHandle_v2(void **memory, struct ipc_handle handle, unsigned flags) {
  CALL(cuIpcOpenMemHandle_v2)
  *memory = handle.memory;
  return flags == 1 && *memory != NULL ? SUCCESS : INVALID_VALUE;
}

FAKE int cuMemFreeHost(void *memory) {
  CALL(cuMemFreeHost)
  free(memory);
  return SUCCESS;
}

PAIR(cuMemAllocAsync, _ptsz, (void **memory, size_t size, uintptr_t stream), (void)stream,
     (void)per_thread;
     return allocate(memory, size););

/* Frees at once, not in stream order: a test that reads freed memory is wrong in both cases. */
static int free_async(void *memory, uintptr_t handle, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result == SUCCESS) {
    engine_wait_stream(stream);
    free(memory);
    engine_unlock();
  }
  return result;
}

PAIR(cuMemFreeAsync, _ptsz, (void *memory, uintptr_t stream),
     return free_async(memory, stream, per_thread););

FAKE int cuMemGetInfo_v2(size_t *available, size_t *total) {
  CALL(cuMemGetInfo_v2)
  *available = *total = (size_t)1 << 34;
  return SUCCESS;
}

/* How long a copy takes: GIVEWAY_FAKE_COPY_NS for each KiB, or no time. */
static uint64_t copy_ns(size_t size) {
  static _Atomic uint64_t known;
  if (known == 0) {
    const char *text = getenv("GIVEWAY_FAKE_COPY_NS");
    known = 1 + (text != NULL ? strtoull(text, NULL, 10) : 0);
  }
  return (known - 1) * (size / 1024);
}

static int copy(void *to, const void *from, uint32_t value, size_t size, uintptr_t handle,
                bool per_thread, bool wait) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result != SUCCESS) {
    return result;
  }
  if (stream->capture != NULL) {
    graph_add(stream->capture, (struct op){.kind = OP_WORK});
  } else {
    engine_submit(stream, (struct op){.kind = OP_COPY,
                                      .ns = copy_ns(size),
                                      .to = to,
                                      .from = from,
                                      .value = value,
                                      .size = size});
    if (wait) {
      engine_wait_stream(stream);
    }
  }
  engine_unlock();
  return SUCCESS;
}

#define COPY_ASYNC(name)                                                                           \
  PAIR(name, _ptsz, (void *to, const void *from, size_t size, uintptr_t stream),                   \
       return copy(to, from, 0, size, stream, per_thread, false);)
#define COPY(name)                                                                                 \
  PAIR(name, _ptds, (void *to, const void *from, size_t size),                                     \
       return copy(to, from, 0, size, 0, per_thread, true);)

COPY_ASYNC(cuMemcpyAsync);
COPY_ASYNC(cuMemcpyHtoDAsync_v2);
COPY_ASYNC(cuMemcpyDtoHAsync_v2);
COPY_ASYNC(cuMemcpyDtoDAsync_v2);
PAIR(cuMemcpyWithAttributesAsync, _ptsz,
     (void *to, const void *from, size_t size, void *attributes, uintptr_t stream),
     (void)attributes;
     return copy(to, from, 0, size, stream, per_thread, false););
COPY(cuMemcpy);
COPY(cuMemcpyHtoD_v2);
COPY(cuMemcpyDtoH_v2);
COPY(cuMemcpyDtoD_v2);

PAIR(cuMemsetD8Async, _ptsz, (void *to, unsigned char value, size_t size, uintptr_t stream),
     return copy(to, NULL, value, size, stream, per_thread, false););
PAIR(cuMemsetD8_v2, _ptds, (void *to, unsigned char value, size_t size),
     return copy(to, NULL, value, size, 0, per_thread, true););
