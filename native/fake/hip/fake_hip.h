/* A libamdhip64 for tests: HIP's calls over the fake CUDA driver, whose engine keeps the promises
 * about order and time. A kernel is the handle that hipModuleGetFunction returns, also where a
 * program would pass the address of a host stub. Every time measured on it is simulated. */
#ifndef GIVEWAY_FAKE_HIP_H
#define GIVEWAY_FAKE_HIP_H

#include "../api/cuda_api.h"
#include "../engine/fake.h"

typedef struct {
  uint32_t x, y, z;
} dim3;

/* Initialises the library on first use, as HIP does, and makes the thread's device current. */
int hip_enter(void);
/* The error that the next hipGetLastError returns and clears. */
int hip_return(int result);

#define HIP(function)                                                                              \
  static struct call call_##function = {.name = #function};                                        \
  int entered = call_enter(&call_##function);                                                      \
  entered = entered == SUCCESS ? hip_enter() : entered;                                            \
  if (entered != SUCCESS) {                                                                        \
    return hip_return(entered);                                                                    \
  }

int cuStreamGetFlags(CUstream stream, unsigned *flags);
int cuStreamBeginCapture_v2_ptsz(CUstream stream, int mode);
int cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph, const void *nodes, const void *data,
                                size_t count, int mode);
int cuStreamEndCapture_ptsz(CUstream stream, CUgraph *graph);
int cuStreamIsCapturing(CUstream stream, int *status);
int cuThreadExchangeStreamCaptureMode(int *mode);
int cuMemcpyAsync(void *to, const void *from, size_t size, CUstream stream);
int cuMemcpyAsync_ptsz(void *to, const void *from, size_t size, CUstream stream);
int cuMemcpy(void *to, const void *from, size_t size);
int cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t size, CUstream stream);
int cuStreamSynchronize_ptsz(CUstream stream);

#endif
