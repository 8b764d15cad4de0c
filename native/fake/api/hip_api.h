/* The few declarations of HIP that tests need; a program that includes this is linked with a
 * library of SONAME libamdhip64.so.5, .6 or .7 (GENERATION). */
#ifndef GIVEWAY_TEST_HIP_API_H
#define GIVEWAY_TEST_HIP_API_H

#include <stddef.h>
#include <stdint.h>

typedef struct ihipModuleSymbol_t *hipFunction_t;
typedef struct ihipModule_t *hipModule_t;
typedef struct ihipStream_t *hipStream_t;
typedef struct ihipEvent_t *hipEvent_t;
typedef struct ihipGraph *hipGraph_t;
typedef struct hipGraphExec *hipGraphExec_t;
typedef struct {
  uint32_t x, y, z;
} dim3;
typedef struct {
  void *ptr;
  size_t pitch, width, height;
} hipPitchedPtr;
typedef struct {
  size_t width, height, depth;
} hipExtent;
typedef struct {
  dim3 grid, block;
  size_t shared;
  hipStream_t stream;
  void *attributes;
  unsigned count;
} hipLaunchConfig_t;
typedef struct {
  unsigned grid[3], block[3], shared;
  hipStream_t stream;
  void *attributes;
  unsigned count;
} HIP_LAUNCH_CONFIG;
typedef struct {
  int x, y, z, w, f;
} hipChannelFormatDesc;

#define hipExtModuleLaunchKernelCxx                                                                \
  _Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j
#define hipHccModuleLaunchKernelCxx                                                                \
  _Z24hipHccModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_
#define hipLaunchKernelGGLImpl _ZN8hip_impl22hipLaunchKernelGGLImplEmRK4dim3S2_jP12ihipStream_tPPv
#define HIP_OF_MODULE                                                                              \
  hipFunction_t f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz
#define HIP_WITH_EVENTS                                                                            \
  HIP_OF_MODULE, size_t shared, hipStream_t stream, void **arguments, void **extra,                \
      hipEvent_t start, hipEvent_t stop

int hipInit(unsigned flags);
int hipGetDeviceCount(int *count);
int hipGetDevice(int *device);
int hipSetDevice(int device);
int hipDeviceSynchronize(void);
int hipDeviceReset(void);
int hipGetLastError(void);
int hipPeekAtLastError(void);
const char *hipGetErrorString(int error);
const char *hipGetErrorName(int error);
hipChannelFormatDesc hipCreateChannelDesc(int x, int y, int z, int w, int f);
void **__hipRegisterFatBinary(const void *data);
int hipModuleLoadData(hipModule_t *module, const void *image);
int hipModuleUnload(hipModule_t module);
int hipModuleGetFunction(hipFunction_t *function, hipModule_t module, const char *name);
int hipMalloc(void **memory, size_t size);
int hipFree(void *memory);
int hipMallocManaged(void **memory, size_t size, unsigned flags);
int hipExtMallocWithFlags(void **memory, size_t size, unsigned flags);
int hipMallocPitch(void **memory, size_t *pitch, size_t width, size_t height);
int hipMemAllocPitch(void **memory, size_t *pitch, size_t width, size_t height, unsigned element);
int hipMallocAsync(void **memory, size_t size, hipStream_t stream);
int hipMallocFromPoolAsync(void **memory, size_t size, void *pool, hipStream_t stream);
int hipFreeAsync(void *memory, hipStream_t stream);
int hipMemAddressReserve(void **address, size_t size, size_t alignment, void *at, uint64_t flags);
int hipMemCreate(void **handle, size_t size, const void *wanted, uint64_t flags);
int hipMemRelease(void *handle);
int hipMemMap(void *address, size_t size, size_t offset, void *handle, uint64_t flags);
int hipMemUnmap(void *address, size_t size);
int hipMemRetainAllocationHandle(void **handle, void *address);
int hipMalloc3D(hipPitchedPtr *memory, hipExtent extent);
int hipMallocArray(void **array, const hipChannelFormatDesc *of, size_t width, size_t height,
                   unsigned flags);
int hipMalloc3DArray(void **array, const hipChannelFormatDesc *of, hipExtent extent,
                     unsigned flags);
int hipMallocMipmappedArray(void **array, const hipChannelFormatDesc *of, hipExtent extent,
                            unsigned levels, unsigned flags);
int hipArrayCreate(void **array, const void *descriptor);
int hipArray3DCreate(void **array, const void *descriptor);
int hipMipmappedArrayCreate(void **array, const void *descriptor, unsigned levels);
int hipArrayDestroy(void *array);
int hipFreeArray(void *array);
int hipMipmappedArrayDestroy(void *array);
int hipFreeMipmappedArray(void *array);
int hipGraphCreate(hipGraph_t *graph, unsigned flags);
int hipGraphAddMemAllocNode(void **node, hipGraph_t graph, const void *after, size_t count,
                            void *wanted);
int hipGraphAddNode(void **node, hipGraph_t graph, const void *after, size_t count, void *wanted);
int hipDeviceGraphMemTrim(int device);
int hipMemGetInfo(size_t *available, size_t *total);
int hipDeviceTotalMem(size_t *bytes, int device);
int hipGetDeviceProperties(void *properties, int device);
int hipGetDevicePropertiesR0600(void *properties, int device);
int hipMemcpy(void *to, const void *from, size_t size, int kind);
int hipMemcpyAsync(void *to, const void *from, size_t size, int kind, hipStream_t stream);
int hipMemset3D(hipPitchedPtr memory, int value, hipExtent extent);
int hipMemset3DAsync(hipPitchedPtr memory, int value, hipExtent extent, hipStream_t stream);

int hipLaunchKernel(const void *f, dim3 grid, dim3 block, void **arguments, size_t shared,
                    hipStream_t stream);
int hipLaunchKernel_spt(const void *f, dim3 grid, dim3 block, void **arguments, size_t shared,
                        hipStream_t stream);
int hipExtLaunchKernel(const void *f, dim3 grid, dim3 block, void **arguments, size_t shared,
                       hipStream_t stream, hipEvent_t start, hipEvent_t stop, int flags);
int hipLaunchCooperativeKernel(const void *f, dim3 grid, dim3 block, void **arguments,
                               unsigned shared, hipStream_t stream);
int hipLaunchCooperativeKernel_spt(const void *f, dim3 grid, dim3 block, void **arguments,
                                   unsigned shared, hipStream_t stream);
int hipModuleLaunchKernel(HIP_OF_MODULE, unsigned shared, hipStream_t stream, void **arguments,
                          void **extra);
int hipModuleLaunchCooperativeKernel(HIP_OF_MODULE, unsigned shared, hipStream_t stream,
                                     void **arguments);
int hipExtModuleLaunchKernel(HIP_WITH_EVENTS, unsigned flags);
int hipExtModuleLaunchKernelCxx(HIP_WITH_EVENTS, unsigned flags);
int hipHccModuleLaunchKernel(HIP_WITH_EVENTS);
int hipHccModuleLaunchKernelCxx(HIP_WITH_EVENTS);
int hipLaunchKernelExC(const hipLaunchConfig_t *config, const void *f, void **arguments);
int hipDrvLaunchKernelEx(const HIP_LAUNCH_CONFIG *config, hipFunction_t f, void **arguments,
                         void **extra);
int hipLaunchKernelGGLImpl(uintptr_t f, const dim3 *grid, const dim3 *block, unsigned shared,
                           hipStream_t stream, void **arguments);
int hipGraphLaunch(hipGraphExec_t exec, hipStream_t stream);

int hipStreamCreateWithFlags(hipStream_t *stream, unsigned flags);
int hipStreamDestroy(hipStream_t stream);
int hipStreamSynchronize(hipStream_t stream);
int hipStreamQuery(hipStream_t stream);
int hipStreamWaitValue32(hipStream_t stream, void *address, uint32_t value, unsigned flags,
                         uint32_t mask);
int hipStreamBeginCapture(hipStream_t stream, int mode);
int hipStreamEndCapture(hipStream_t stream, hipGraph_t *graph);
int hipGraphInstantiateWithFlags(hipGraphExec_t *exec, hipGraph_t graph, unsigned long long flags);
int hipGraphGetNodes(hipGraph_t graph, void **nodes, size_t *count);
int hipStreamWaitEvent(hipStream_t stream, hipEvent_t event, unsigned flags);
int hipThreadExchangeStreamCaptureMode(int *mode);
int hipEventCreateWithFlags(hipEvent_t *event, unsigned flags);
int hipEventRecord(hipEvent_t event, hipStream_t stream);
int hipEventQuery(hipEvent_t event);
int hipGetProcAddress(const char *symbol, void **function, int version, uint64_t flags,
                      void *status);
int hipGetDriverEntryPoint(const char *symbol, void **function, uint64_t flags, void *status);
int hipGetDriverEntryPoint_spt(const char *symbol, void **function, uint64_t flags, void *status);

#endif
