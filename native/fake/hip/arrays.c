/* Arrays, and memory that graphs allocate, over the CUDA one. */
#include "fake_hip.h"

struct array_3d {
  size_t width, height, depth;
  unsigned format, channels, flags;
};
int cuDeviceGetGraphMemAttribute(int device, int attribute, uint64_t *value);

struct channels {
  int x, y, z, w, kind; /* bits of each */
};

struct extent {
  size_t width, height, depth;
};

struct pitched {
  void *address;
  size_t pitch, width, height;
};

#define FORWARD(name, parameters, call)                                                            \
  FAKE int name parameters {                                                                       \
    HIP(name)                                                                                      \
    return hip_return(call);                                                                       \
  }

#define BYTE 1 /* the format of 8-bit integers */

static int create(void **array, const struct channels *of, struct extent size, unsigned levels) {
  unsigned bytes = (unsigned)(of->x + of->y + of->z + of->w) / 8;
  struct array_3d wanted = {size.width, size.height, size.depth, BYTE, bytes, 0};
  return cuMipmappedArrayCreate(array, &wanted, levels);
}

static int allocate(struct pitched *memory, struct extent size) {
  return cuMemAllocPitch_v2((CUdeviceptr *)&memory->address, &memory->pitch, size.width,
                            size.height * size.depth, 4);
}

FAKE int hipMallocArray(void **array, const struct channels *of, size_t width, size_t height,
                        unsigned flags) {
  HIP(hipMallocArray)(void) flags;
  return hip_return(create(array, of, (struct extent){width, height, 0}, 1));
}
FORWARD(hipMalloc3DArray,
        (void **array, const struct channels *of, struct extent size, unsigned flags),
        ((void)flags, create(array, of, size, 1)))
FORWARD(hipMallocMipmappedArray,
        (void **array, const struct channels *of, struct extent size, unsigned levels,
         unsigned flags),
        ((void)flags, create(array, of, size, levels)))
FORWARD(hipArrayCreate, (void **array, const void *of), cuArrayCreate_v2(array, of))
FORWARD(hipArray3DCreate, (void **array, const struct array_3d *of), cuArray3DCreate_v2(array, of))
FORWARD(hipMipmappedArrayCreate, (void **array, const struct array_3d *of, unsigned levels),
        cuMipmappedArrayCreate(array, of, levels))
FORWARD(hipArrayDestroy, (void *array), cuArrayDestroy(array))
FORWARD(hipFreeArray, (void *array), cuArrayDestroy(array))
FORWARD(hipMipmappedArrayDestroy, (void *array), cuMipmappedArrayDestroy(array))
FORWARD(hipFreeMipmappedArray, (void *array), cuMipmappedArrayDestroy(array))
FORWARD(hipMalloc3D, (struct pitched * memory, struct extent size), allocate(memory, size))

FORWARD(hipGraphCreate, (CUgraph * graph, unsigned flags), cuGraphCreate(graph, flags))
FORWARD(hipGraphAddMemAllocNode,
        (void **node, CUgraph graph, const void *after, size_t count, void *wanted),
        cuGraphAddMemAllocNode(node, graph, after, count, wanted))
#if GENERATION >= 6
FORWARD(hipGraphAddNode,
        (void **node, CUgraph graph, const void *after, size_t count, void *wanted),
        cuGraphAddNode_v2(node, graph, after, NULL, count, wanted))
#endif
FORWARD(hipDeviceGetGraphMemAttribute, (int device, int attribute, uint64_t *value),
        cuDeviceGetGraphMemAttribute(device, attribute, value))
FORWARD(hipDeviceGraphMemTrim, (int device), cuDeviceGraphMemTrim(device))
