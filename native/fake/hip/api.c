/* Devices, memory, streams, events, captures and graphs. */
#include "fake_hip.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread int device;
static _Atomic bool ended;
static __thread int last_error;
static bool started;

int hip_return(int result) {
  if (result != SUCCESS && result != NOT_READY) {
    last_error = result;
  }
  return result;
}

/* As in AMD's runtime, objects are destroyed at exit while the process still has threads. Calls of
 * the program's first thread at its end are allowed. */
static void end(void) {
  const char *ms = getenv("GIVEWAY_FAKE_END_MS"); /* how long the exit handler takes */
  ended = true;
  usleep(ms != NULL ? (unsigned)atoi(ms) * 1000 : 0);
}

__attribute__((constructor)) static void begin(void) { atexit(end); }

int hip_enter(void) {
  if (ended && syscall(SYS_gettid) != getpid()) {
    fputs("fake-hip: asked after its end\n", stderr);
    abort();
  }
  if (!started) {
    started = true;
    int result = cuInit(0);
    if (result != SUCCESS) {
      return result;
    }
  }
  CUcontext context;
  int result = cuDevicePrimaryCtxRetain(&context, device);
  return result == SUCCESS ? cuCtxSetCurrent(context) : result;
}

/* Handle 1 names the legacy stream in newer runtimes only. Older runtimes take it for an address
 * and crash, so this library aborts. */
static int valid(const void *stream) {
  if ((uintptr_t)stream == 1) {
    fputs("fake-hip: 1 is no stream\n", stderr);
    abort();
  }
  return 1;
}

#define FORWARD(name, parameters, call)                                                            \
  FAKE int name parameters {                                                                       \
    HIP(name)                                                                                      \
    return hip_return(call);                                                                       \
  }

static int stream_device(CUstream stream, int *of) {
  struct context *context;
  int result = cuStreamGetCtx(stream, (CUcontext *)&context);
  if (result == SUCCESS) {
    *of = context->device;
  }
  return result;
}

FORWARD(hipInit, (unsigned flags), (int)(flags & 0))
FORWARD(hipGetDeviceCount, (int *count), cuDeviceGetCount(count))
FORWARD(hipGetDevice, (int *current), (*current = device, SUCCESS))
FORWARD(hipDeviceSynchronize, (void), cuCtxSynchronize())
FORWARD(hipDeviceReset, (void), cuDevicePrimaryCtxReset_v2(device))

FAKE int hipSetDevice(int to) {
  HIP(hipSetDevice)
  int count;
  if (cuDeviceGetCount(&count) != SUCCESS || to < 0 || to >= count) {
    return hip_return(INVALID_DEVICE);
  }
  device = to;
  return SUCCESS;
}

FAKE int hipDeviceGetUuid(char *uuid, int of) {
  HIP(hipDeviceGetUuid)
  char digits[17];
  snprintf(digits, sizeof digits, "%s%d", "FA0000000000000", of);
  memcpy(uuid, digits, 16);
  return SUCCESS;
}

FAKE int hipDeviceGetPCIBusId(char *bus, int size, int of) {
  HIP(hipDeviceGetPCIBusId)
  snprintf(bus, (size_t)size, "0000:C%d:00.0", of);
  return SUCCESS;
}

FAKE int hipPeekAtLastError(void) {
  COUNT(hipPeekAtLastError)
  return last_error;
}

FAKE int hipGetLastError(void) {
  COUNT(hipGetLastError)
  int error = last_error;
  last_error = SUCCESS;
  return error;
}

FAKE const char *hipGetErrorString(int error) {
  return error == SUCCESS ? "no error" : "simulated";
}

FORWARD(hipModuleLoadData, (CUmodule * module, const void *image), cuModuleLoadData(module, image))
FORWARD(hipModuleGetFunction, (CUfunction * function, CUmodule module, const char *name),
        cuModuleGetFunction(function, module, name))

FAKE const char *hipKernelNameRef(CUfunction function) {
  const char *name;
  return cuFuncGetName(&name, function) == SUCCESS ? name : NULL;
}

/* The returned text tells tests that this function was called. AMD's runtime looks up the address
 * of a host function here. */
FAKE const char *hipKernelNameRefByPtr(const void *function, CUstream stream) {
  static __thread char text[256];
  const char *name;
  if (stream != NULL || cuFuncGetName(&name, (CUfunction)(uintptr_t)function) != SUCCESS) {
    return NULL;
  }
  snprintf(text, sizeof text, "address of %s", name);
  return text;
}

FORWARD(hipHostRegister, (void *memory, size_t size, unsigned flags),
        cuMemHostRegister_v2(memory, size, flags))
FORWARD(hipHostGetDevicePointer, (void **address, void *memory, unsigned flags),
        cuMemHostGetDevicePointer_v2(address, memory, flags))
FORWARD(hipMemcpy, (void *to, const void *from, size_t size, int kind),
        ((void)kind, cuMemcpy(to, from, size)))
FORWARD(hipMemcpyAsync, (void *to, const void *from, size_t size, int kind, CUstream stream),
        ((void)kind, cuMemcpyAsync(to, from, size, stream)))
FORWARD(hipMemcpyAsync_spt, (void *to, const void *from, size_t size, int kind, CUstream stream),
        ((void)kind, cuMemcpyAsync_ptsz(to, from, size, stream)))
FORWARD(hipMemsetAsync, (void *to, int value, size_t size, CUstream stream),
        cuMemsetD8Async((CUdeviceptr)to, (unsigned char)value, size, stream))

/* The streams that exist. */
static CUstream streams[64];

static bool swap_stream(CUstream from, CUstream to) {
  for (int i = 0; i < 64; i++) {
    CUstream expected = from;
    if (__atomic_compare_exchange_n(&streams[i], &expected, to, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST)) {
      return true;
    }
  }
  return false;
}

FAKE int hipStreamCreateWithFlags(CUstream *stream, unsigned flags) {
  HIP(hipStreamCreateWithFlags)
  int result = cuStreamCreate(stream, flags);
  if (result == SUCCESS) {
    swap_stream(NULL, *stream);
  }
  return hip_return(result);
}

FAKE int hipStreamDestroy(CUstream stream) {
  HIP(hipStreamDestroy)
  swap_stream(stream, NULL);
  return hip_return(cuStreamDestroy_v2(stream));
}

FORWARD(hipStreamGetDevice, (CUstream stream, int *device), stream_device(stream, device))
FORWARD(hipStreamGetFlags, (CUstream stream, unsigned *flags), cuStreamGetFlags(stream, flags))
FORWARD(hipStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags),
        (valid(stream), cuStreamWaitEvent(stream, event, flags)))
FORWARD(hipStreamSynchronize, (CUstream stream), (valid(stream), cuStreamSynchronize(stream)))
FORWARD(hipStreamSynchronize_spt, (CUstream stream), cuStreamSynchronize_ptsz(stream))
/* As AMD's runtime does in some functions: with GIVEWAY_FAKE_REENTERS, it calls its own exports and
 * so goes through the PLT into a preloaded hook. */
FAKE int hipStreamQuery(CUstream stream) {
  HIP(hipStreamQuery)
  CUstream helper;
  if (getenv("GIVEWAY_FAKE_REENTERS") != NULL && hipStreamCreateWithFlags(&helper, 1) == SUCCESS) {
    hipStreamDestroy(helper);
  }
  return hip_return((valid(stream), cuStreamQuery(stream)));
}

FORWARD(hipStreamWaitValue32,
        (CUstream stream, CUdeviceptr address, uint32_t value, unsigned flags, uint32_t mask),
        ((void)mask, cuStreamWaitValue32_v2(stream, address, value, flags)))
FORWARD(hipStreamWriteValue32,
        (CUstream stream, CUdeviceptr address, uint32_t value, unsigned flags),
        cuStreamWriteValue32_v2(stream, address, value, flags))

FORWARD(hipEventCreateWithFlags, (CUevent * event, unsigned flags), cuEventCreate(event, flags))
FAKE int hipEventRecord(CUevent event, CUstream stream) {
  HIP(hipEventRecord)((struct event *)event)->stream = (struct stream *)stream;
  return hip_return((valid(stream), cuEventRecord(event, stream)));
}

/* As AMD's runtime: reads the stream of the event's last record, which may be destroyed by now. If
 * that stream is being captured, the capture ends. */
FAKE int hipEventQuery(CUevent event) {
  HIP(hipEventQuery)
  struct stream *stream = ((struct event *)event)->stream;
  if ((uintptr_t)stream > 2 && !swap_stream((CUstream)stream, (CUstream)stream)) {
    fputs("fake-hip: the event's stream is gone, and AMD's runtime looks at it\n", stderr);
    abort();
  }
  engine_lock();
  bool captured = (uintptr_t)stream > 2 && stream->capture != NULL;
  if (captured) {
    stream->invalidated = true;
  }
  engine_unlock();
  return hip_return(captured ? CAPTURED_EVENT : cuEventQuery(event));
}
FORWARD(hipEventSynchronize, (CUevent event), cuEventSynchronize(event))
FORWARD(hipEventElapsedTime, (float *ms, CUevent start, CUevent end),
        cuEventElapsedTime(ms, start, end))

FORWARD(hipStreamBeginCapture, (CUstream stream, int mode), cuStreamBeginCapture_v2(stream, mode))
FORWARD(hipStreamBeginCapture_spt, (CUstream stream, int mode),
        cuStreamBeginCapture_v2_ptsz(stream, mode))
#if GENERATION >= 6
FORWARD(hipStreamBeginCaptureToGraph,
        (CUstream stream, CUgraph graph, const void *nodes, const void *data, size_t count,
         int mode),
        cuStreamBeginCaptureToGraph(stream, graph, nodes, data, count, mode))
#endif
FORWARD(hipStreamEndCapture_spt, (CUstream stream, CUgraph *graph),
        cuStreamEndCapture_ptsz(stream, graph))
FORWARD(hipStreamEndCapture, (CUstream stream, CUgraph *graph), cuStreamEndCapture(stream, graph))
FORWARD(hipThreadExchangeStreamCaptureMode, (int *mode), cuThreadExchangeStreamCaptureMode(mode))
FORWARD(hipModuleUnload, (CUmodule module), cuModuleUnload(module))
FORWARD(hipGraphExecDestroy, (CUgraphExec exec), cuGraphExecDestroy(exec))
FORWARD(hipGraphGetNodes, (CUgraph graph, void **nodes, size_t *count),
        cuGraphGetNodes(graph, nodes, count))
FORWARD(hipGraphInstantiateWithFlags, (CUgraphExec * exec, CUgraph graph, unsigned long long flags),
        cuGraphInstantiateWithFlags(exec, graph, flags))

FAKE int hipStreamIsCapturing(CUstream stream, int *status) {
  HIP(hipStreamIsCapturing)
  if (stream == NULL || !valid(stream)) {
    fputs("fake-hip: older runtimes follow this NULL\n", stderr);
    abort();
  }
  return hip_return(cuStreamIsCapturing(stream, status));
}

#if GENERATION >= 6
#define LOOKUP(function)                                                                           \
  static struct call call_##function = {.name = #function};                                        \
  int call_error = call_enter(&call_##function);                                                   \
  if (call_error != SUCCESS) {                                                                     \
    return hip_return(call_error);                                                                 \
  }

/* As AMD's runtime: by name, with _spt where the flags ask for that, from the library's own handle.
 */
static int look_up(const char *name, void **function, uint64_t flags) {
  Dl_info info;
  char variant[256];
  dladdr((void *)look_up, &info);
  void *library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  snprintf(variant, sizeof variant, "%s_spt", name);
  *function = flags == 2 ? dlsym(library, variant) : NULL;
  if (*function == NULL) {
    *function = dlsym(library, name);
  }
  dlclose(library);
  return hip_return(*function != NULL ? SUCCESS : INVALID_VALUE);
}

FAKE int hipGetProcAddress(const char *name, void **function, int version, uint64_t flags,
                           void *status) {
  LOOKUP(hipGetProcAddress)
  (void)version, (void)flags, (void)status; /* 6.4 and 7.2 ignore the flags */
  return look_up(name, function, 0);
}

#if GENERATION == 7
FAKE int hipGetDriverEntryPoint(const char *name, void **function, uint64_t flags, void *status) {
  LOOKUP(hipGetDriverEntryPoint)
  (void)status;
  return look_up(name, function, flags);
}

FAKE int hipGetDriverEntryPoint_spt(const char *name, void **function, uint64_t flags,
                                    void *status) {
  LOOKUP(hipGetDriverEntryPoint_spt)
  (void)status;
  return look_up(name, function, flags != 0 ? flags : 2);
}
#endif
#endif
