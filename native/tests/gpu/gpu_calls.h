/* The functions of a driver that concern a shim. */
#ifndef GIVEWAY_TEST_GPU_CALLS_H
#define GIVEWAY_TEST_GPU_CALLS_H

/* The hooked functions, and after them the functions that the shim itself calls. */
static const char *const calls[] = {
#define HOOKED(name) #name,
#include "hooked.h"
#ifdef GENERATION
    "hipGetDeviceCount",    "hipDeviceGetUuid",
    "hipDeviceGetPCIBusId", "hipStreamIsCapturing",
    "hipEventElapsedTime",  "hipEventCreateWithFlags",
    "hipHostRegister",      "hipHostGetDevicePointer",
    "hipStreamWaitValue32", "hipThreadExchangeStreamCaptureMode",
#else
    "cuDeviceGetCount",
    "cuDeviceGetUuid_v2",
    "cuCtxGetDevice",
    "cuCtxGetCurrent",
    "cuStreamIsCapturing",
    "cuEventCreate",
    "cuEventElapsedTime",
    "cuFuncGetName",
    "cuThreadExchangeStreamCaptureMode",
    "cuMemHostRegister_v2",
    "cuMemHostGetDevicePointer_v2",
    "cuStreamWaitValue32_v2",
#endif
};
#undef HOOKED
#define CALLS (sizeof calls / sizeof *calls)
#define HOOKED(name) +1
enum {
  HOOKS = 0
#include "hooked.h"
};

#endif
