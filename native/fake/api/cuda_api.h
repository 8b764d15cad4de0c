/* The few declarations of the CUDA driver API that tests and benchmarks need; a program that
 * includes this is linked with a library of SONAME libcuda.so.1. */
#ifndef GIVEWAY_TEST_CUDA_API_H
#define GIVEWAY_TEST_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef uintptr_t CUdeviceptr;

struct ipc_handle {
  char bytes[64];
};

int cuInit(unsigned flags);
int cuDriverGetVersion(int *version);
int cuDeviceGetAttribute(int *value, int attribute, int device);
int cuDeviceGetCount(int *count);
int cuDevicePrimaryCtxRetain(CUcontext *context, int device);
int cuDevicePrimaryCtxRelease_v2(int device);
int cuDevicePrimaryCtxReset_v2(int device);
int cuCtxSetCurrent(CUcontext context);
int cuCtxGetCurrent(CUcontext *context);
int cuCtxSynchronize(void);
int cuDeviceGetUuid_v2(unsigned char *uuid, int device);
int cuCtxGetDevice(int *device);
int cuStreamGetCtx(CUstream stream, CUcontext *context);
int cuFuncGetName(const char **name, CUfunction function);
int cuModuleLoadData(CUmodule *module, const void *image);
int cuModuleUnload(CUmodule module);
int cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name);
int cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, CUstream stream, void **parameters, void **extra);
int cuLaunchKernel_ptsz(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                        unsigned by, unsigned bz, unsigned shared, CUstream stream,
                        void **parameters, void **extra);
int cuStreamCreate(CUstream *stream, unsigned flags);
int cuStreamDestroy_v2(CUstream stream);
int cuStreamSynchronize(CUstream stream);
int cuStreamQuery(CUstream stream);
int cuStreamBeginCapture_v2(CUstream stream, int mode);
int cuStreamEndCapture(CUstream stream, CUgraph *graph);
int cuStreamBeginRecaptureToGraph(CUstream stream, int mode, CUgraph graph, void *changed,
                                  void *data);
int cuStreamBeginCaptureToCig(CUstream stream, void *parameters);
int cuStreamEndCaptureToCig(CUstream stream);
int cuStreamWaitValue32_v2(CUstream stream, CUdeviceptr address, uint32_t value, unsigned flags);
int cuStreamWriteValue32_v2(CUstream stream, CUdeviceptr address, uint32_t value, unsigned flags);
int cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags);
int cuThreadExchangeStreamCaptureMode(int *mode);
int cuEventCreate(CUevent *event, unsigned flags);
int cuEventRecord(CUevent event, CUstream stream);
int cuEventQuery(CUevent event);
int cuEventElapsedTime(float *ms, CUevent start, CUevent end);
int cuEventSynchronize(CUevent event);
int cuMemAlloc_v2(CUdeviceptr *memory, size_t size);
int cuMemFree_v2(CUdeviceptr memory);
int cuMemAllocAsync(CUdeviceptr *memory, size_t size, CUstream stream);
int cuMemAllocAsync_ptsz(CUdeviceptr *memory, size_t size, CUstream stream);
int cuMemAllocFromPoolAsync(CUdeviceptr *memory, size_t size, void *pool, CUstream stream);
int cuMemAllocManaged(CUdeviceptr *memory, size_t size, unsigned flags);
int cuMemAllocPitch_v2(CUdeviceptr *memory, size_t *pitch, size_t width, size_t height,
                       unsigned element);
int cuArrayCreate_v2(void **array, const void *descriptor);
int cuArray3DCreate_v2(void **array, const void *descriptor);
int cuMipmappedArrayCreate(void **array, const void *descriptor, unsigned levels);
int cuArrayDestroy(void *array);
int cuMipmappedArrayDestroy(void *array);
int cuGraphCreate(CUgraph *graph, unsigned flags);
int cuGraphAddMemAllocNode(void **node, CUgraph graph, const void *after, size_t count,
                           void *wanted);
int cuGraphAddNode_v2(void **node, CUgraph graph, const void *after, const void *edges,
                      size_t count, void *wanted);
int cuDeviceGraphMemTrim(int device);
int cuMemGetInfo_v2(size_t *available, size_t *total);
int cuDeviceTotalMem_v2(size_t *bytes, int device);
int cuMemAddressReserve(CUdeviceptr *address, size_t size, size_t alignment, CUdeviceptr at,
                        uint64_t flags);
int cuMemCreate(void **handle, size_t size, const void *wanted, uint64_t flags);
int cuMemRelease(void *handle);
int cuMemMap(CUdeviceptr address, size_t size, size_t offset, void *handle, uint64_t flags);
int cuMemUnmap(CUdeviceptr address, size_t size);
int cuMemRetainAllocationHandle(void **handle, CUdeviceptr address);
int cuMemFreeAsync(CUdeviceptr memory, CUstream stream);
int cuMemFreeAsync_ptsz(CUdeviceptr memory, CUstream stream);
int cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t size, CUstream stream);
int cuMemHostAlloc(void **memory, size_t size, unsigned flags);
int cuMemFreeHost(void *memory);
int cuMemHostRegister_v2(void *memory, size_t size, unsigned flags);
int cuMemHostGetDevicePointer_v2(void **address, void *memory, unsigned flags);
int cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t size);
int cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t size, CUstream stream);
int cuMemcpyWithAttributesAsync(CUdeviceptr to, CUdeviceptr from, size_t size, void *attributes,
                                CUstream stream);
int cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t size);
int cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags);
int cuGraphGetNodes(CUgraph graph, void **nodes, size_t *count);
int cuGraphDestroy(CUgraph graph);
int cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, void *result);
int cuGraphExecDestroy(CUgraphExec exec);
int cuGraphLaunch(CUgraphExec exec, CUstream stream);
int cuIpcGetMemHandle(struct ipc_handle *handle, CUdeviceptr memory);
int cuIpcOpenMemHandle_v2(CUdeviceptr *memory, struct ipc_handle handle, unsigned flags);
int cuCheckpointProcessLock(int pid, const void *arguments);
int cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags,
                        int *status);

#endif
