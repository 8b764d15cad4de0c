/* Device memory, over the CUDA one. */
#include "fake_hip.h"

int cuMemGetAllocationGranularity(size_t *size, const void *wanted, int option);
int cuMemAddressFree(CUdeviceptr address, size_t size);

#define FORWARD(name, parameters, call)                                                            \
  FAKE int name parameters {                                                                       \
    HIP(name)                                                                                      \
    return hip_return(call);                                                                       \
  }

FORWARD(hipMalloc, (CUdeviceptr * memory, size_t size), cuMemAlloc_v2(memory, size))
FORWARD(hipFree, (CUdeviceptr memory), cuMemFree_v2(memory))
FORWARD(hipMallocManaged, (CUdeviceptr * memory, size_t size, unsigned flags),
        cuMemAllocManaged(memory, size, flags))
FORWARD(hipExtMallocWithFlags, (CUdeviceptr * memory, size_t size, unsigned flags),
        ((void)flags, cuMemAlloc_v2(memory, size)))
FORWARD(hipMallocPitch, (CUdeviceptr * memory, size_t *pitch, size_t width, size_t height),
        cuMemAllocPitch_v2(memory, pitch, width, height, 4))
FORWARD(hipMemAllocPitch,
        (CUdeviceptr * memory, size_t *pitch, size_t width, size_t height, unsigned element),
        cuMemAllocPitch_v2(memory, pitch, width, height, element))
FORWARD(hipMallocAsync, (CUdeviceptr * memory, size_t size, CUstream stream),
        cuMemAllocAsync(memory, size, stream))
FORWARD(hipMallocFromPoolAsync, (CUdeviceptr * memory, size_t size, void *pool, CUstream stream),
        cuMemAllocFromPoolAsync(memory, size, pool, stream))
FORWARD(hipFreeAsync, (CUdeviceptr memory, CUstream stream), cuMemFreeAsync(memory, stream))
FORWARD(hipMemGetAllocationGranularity, (size_t *size, const void *wanted, int option),
        cuMemGetAllocationGranularity(size, wanted, option))
FORWARD(hipMemAddressReserve,
        (CUdeviceptr * address, size_t size, size_t alignment, CUdeviceptr at, uint64_t flags),
        cuMemAddressReserve(address, size, alignment, at, flags))
FORWARD(hipMemAddressFree, (CUdeviceptr address, size_t size), cuMemAddressFree(address, size))
FORWARD(hipMemCreate, (void **handle, size_t size, const void *wanted, uint64_t flags),
        cuMemCreate(handle, size, wanted, flags))
FORWARD(hipMemRelease, (void *handle), cuMemRelease(handle))
FORWARD(hipMemMap, (CUdeviceptr address, size_t size, size_t offset, void *handle, uint64_t flags),
        cuMemMap(address, size, offset, handle, flags))
FORWARD(hipMemUnmap, (CUdeviceptr address, size_t size), cuMemUnmap(address, size))
FORWARD(hipMemRetainAllocationHandle, (void **handle, CUdeviceptr address),
        cuMemRetainAllocationHandle(handle, address))
FORWARD(hipMemGetInfo, (size_t *available, size_t *total), cuMemGetInfo_v2(available, total))
FORWARD(hipDeviceTotalMem, (size_t *bytes, int device), cuDeviceTotalMem_v2(bytes, device))

/* As far as the size; 6.0 has a new form, and keeps the old one for programs built for 5.x. */
struct old_properties {
  char name[256];
  size_t total;
};
FAKE int hipGetDeviceProperties(struct old_properties *properties, int device) {
  HIP(hipGetDeviceProperties)
  return hip_return(cuDeviceTotalMem_v2(&properties->total, device));
}

#if GENERATION >= 6
FAKE int hipGetDevicePropertiesR0000(struct old_properties *properties, int device) {
  HIP(hipGetDevicePropertiesR0000)
  return hip_return(cuDeviceTotalMem_v2(&properties->total, device));
}

struct new_properties {
  char name[256], uuid[16], luid[8];
  unsigned mask;
  size_t total;
};
FAKE int hipGetDevicePropertiesR0600(struct new_properties *properties, int device) {
  HIP(hipGetDevicePropertiesR0600)
  return hip_return(cuDeviceTotalMem_v2(&properties->total, device));
}
#endif
