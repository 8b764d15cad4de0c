/* Arrays: as much memory as their elements take. Nothing is ever in them. */
#include <stdlib.h>

#include "fake.h"

struct descriptor {
  size_t width, height;
  unsigned format, channels;
};

struct descriptor_3d {
  size_t width, height, depth;
  unsigned format, channels, flags;
};

#define FLOAT 0x20
#define AT_LEAST_ONE(size) ((size) != 0 ? (size) : 1)

struct array {
  int device;
  size_t size;
};

static int create(struct array **array, size_t elements, unsigned format, unsigned channels) {
  size_t size = elements * channels * (format == FLOAT ? 4 : 1);
  int device = memory_device();
  if (size == 0) {
    return INVALID_VALUE;
  }
  if (!share_memory_take(device, size)) {
    return OUT_OF_MEMORY;
  }
  *array = malloc(sizeof **array);
  **array = (struct array){device, size};
  return SUCCESS;
}

static int destroy(struct array *array) {
  share_memory_give(array->device, array->size);
  free(array);
  return SUCCESS;
}

FAKE int cuArrayCreate_v2(struct array **array, const struct descriptor *of) {
  CALL(cuArrayCreate_v2)
  return create(array, of->width * AT_LEAST_ONE(of->height), of->format, of->channels);
}

FAKE int cuArray3DCreate_v2(struct array **array, const struct descriptor_3d *of) {
  CALL(cuArray3DCreate_v2)
  size_t elements = of->width * AT_LEAST_ONE(of->height) * AT_LEAST_ONE(of->depth);
  return create(array, elements, of->format, of->channels);
}

FAKE int cuMipmappedArrayCreate(struct array **array, const struct descriptor_3d *of,
                                unsigned levels) {
  CALL(cuMipmappedArrayCreate)
  size_t elements = 0;
  for (unsigned i = 0; i < levels; i++) {
    elements +=
        AT_LEAST_ONE(of->width >> i) * AT_LEAST_ONE(of->height >> i) * AT_LEAST_ONE(of->depth >> i);
  }
  return create(array, elements, of->format, of->channels);
}

FAKE int cuArrayDestroy(struct array *array) {
  CALL(cuArrayDestroy)
  return destroy(array);
}

FAKE int cuMipmappedArrayDestroy(struct array *array) {
  CALL(cuMipmappedArrayDestroy)
  return destroy(array);
}
