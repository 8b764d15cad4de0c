/* Device memory is the process's own memory, behind a header. A stream executes a copy when it
 * reaches the copy. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake.h"

#define HEADER 4096
/* The pages of large blocks exist once they are written: a test may allocate the whole device. */
#define LARGE ((size_t)1 << 20)

struct block {
  uint64_t size;
  int device;
  unsigned generation;
};

int memory_device(void) { return fake_current != NULL ? fake_current->device : 0; }

static uint64_t context_size(void) {
  const char *text = getenv("GIVEWAY_FAKE_CONTEXT");
  return text != NULL ? strtoull(text, NULL, 10) : 0;
}

bool memory_open_context(struct context *context) {
  return share_memory_take(context->device, context_size());
}

void memory_close_context(struct context *context) {
  context->generation++;
  share_memory_reset(context->device);
}

static struct block *map_block(size_t size) {
  void *block = mmap(NULL, HEADER + size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return block != MAP_FAILED ? block : NULL;
}

static int allocate(void **memory, size_t size) {
  if (size == 0) {
    return INVALID_VALUE;
  }
  int device = memory_device();
  if (!share_memory_take(device, size)) {
    return OUT_OF_MEMORY;
  }
  struct block *block = size >= LARGE ? map_block(size) : malloc(HEADER + size);
  if (block == NULL) {
    share_memory_give(device, size);
    return OUT_OF_MEMORY;
  }
  *block = (struct block){size, device, fake_contexts[device].generation};
  *memory = (char *)block + HEADER;
  return SUCCESS;
}

static void release(void *memory) {
  struct block *block = memory != NULL ? (void *)((char *)memory - HEADER) : NULL;
  if (block == NULL) {
    return;
  }
  if (block->generation == fake_contexts[block->device].generation) {
    share_memory_give(block->device, block->size);
  }
  if (block->size >= LARGE) {
    munmap(block, HEADER + block->size);
  } else {
    free(block);
  }
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
  release(memory);
  return SUCCESS;
}

FAKE int cuMemHostAlloc(void **memory, size_t size, unsigned flags) {
  CALL(cuMemHostAlloc)(void) flags;
  *memory = size != 0 ? malloc(size) : NULL;
  return size == 0 ? INVALID_VALUE : *memory != NULL ? SUCCESS : OUT_OF_MEMORY;
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

/* A handle has the address at its end. It opens in the process that made it; one of another origin
 * (process 0) opens everywhere, for tests of what the hooks do with it. */
struct ipc_handle {
  pid_t process;
  char bytes[52];
  void *memory;
};

FAKE int cuIpcGetMemHandle(struct ipc_handle *handle, void *memory) {
  CALL(cuIpcGetMemHandle)
  *handle = (struct ipc_handle){.process = getpid(), .memory = memory};
  return memory != NULL ? SUCCESS : INVALID_VALUE;
}

FAKE int cuIpcOpenMemHandle_v2(void **memory, struct ipc_handle handle, unsigned flags) {
  CALL(cuIpcOpenMemHandle_v2)
  if (handle.process != 0 && handle.process != getpid()) {
    return NOT_SUPPORTED;
  }
  *memory = handle.memory;
  return flags == 1 && *memory != NULL ? SUCCESS : INVALID_VALUE;
}

FAKE int cuMemFreeHost(void *memory) {
  CALL(cuMemFreeHost)
  free(memory);
  return SUCCESS;
}

/* A captured one is a node of the graph. */
static int allocate_async(void **memory, size_t size, uintptr_t handle, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result != SUCCESS) {
    return result;
  }
  struct graph *capture = stream->capture;
  *memory = capture != NULL ? graph_allocate(capture, size) : NULL;
  engine_unlock();
  return capture != NULL ? SUCCESS : allocate(memory, size);
}

PAIR(cuMemAllocAsync, _ptsz, (void **memory, size_t size, uintptr_t stream),
     return allocate_async(memory, size, stream, per_thread););

PAIR(cuMemAllocFromPoolAsync, _ptsz, (void **memory, size_t size, void *pool, uintptr_t stream),
     (void)pool;
     return allocate_async(memory, size, stream, per_thread););

FAKE int cuMemAllocManaged(void **memory, size_t size, unsigned flags) {
  CALL(cuMemAllocManaged)(void) flags;
  return allocate(memory, size);
}

#define PITCH 512

FAKE int cuMemAllocPitch_v2(void **memory, size_t *pitch, size_t width, size_t height,
                            unsigned element) {
  CALL(cuMemAllocPitch_v2)(void) element;
  *pitch = (width + PITCH - 1) / PITCH * PITCH;
  return allocate(memory, *pitch * height);
}

/* Frees at once, not in stream order: a test that reads freed memory is wrong in both cases. */
static int free_async(void *memory, uintptr_t handle, bool per_thread) {
  struct stream *stream;
  int result = stream_enter(handle, per_thread, &stream);
  if (result == SUCCESS) {
    engine_wait_stream(stream);
    release(memory);
    engine_unlock();
  }
  return result;
}

PAIR(cuMemFreeAsync, _ptsz, (void *memory, uintptr_t stream),
     return free_async(memory, stream, per_thread););

FAKE int cuMemGetInfo_v2(size_t *available, size_t *total) {
  CALL(cuMemGetInfo_v2)
  *available = share_memory_free(memory_device());
  *total = share_memory_size();
  return SUCCESS;
}

/* How long a copy takes: GIVEWAY_FAKE_COPY_NS for each KiB, or no time. */
uint64_t copy_ns(size_t size) {
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
