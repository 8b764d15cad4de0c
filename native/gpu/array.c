#include "array.h"

/* Flags of both APIs. */
#define LAYERED 0x1u
#define CUBE 0x4u
#define SPARSE 0x40u /* memory is mapped later, and counts where it is created */
#define DEFERRED_MAPPING 0x80u

struct descriptor_2d {
  uint64_t width, height;
  uint32_t format, channels;
};

struct descriptor_3d {
  uint64_t width, height, depth;
  uint32_t format, channels, flags;
};

struct channels {
  int32_t x, y, z, w; /* bits */
};

struct extent {
  uint64_t width, height, depth;
};

/* CUarray_format, hipArray_Format. Of the many video formats a channel counts as a byte, of block
 * compression an element. */
static uint64_t bits_of_element(uint32_t format, uint32_t channels) {
  switch (format) {
  case 0x02: /* 16-bit integers, signed and not, and half */
  case 0x09:
  case 0x10:
  case 0xc3: /* normalised 16-bit integers */
  case 0xc4:
  case 0xc5:
  case 0xc9:
  case 0xca:
  case 0xcb:
    return 16 * (uint64_t)channels;
  case 0x03: /* 32-bit integers, and float */
  case 0x0a:
  case 0x20:
    return 32 * (uint64_t)channels;
  case 0x50: /* 10 bits of each colour, and 2 */
    return 32;
  default:
    return format >= 0x91 && format <= 0x9e ? 8 : 8 * (uint64_t)channels;
  }
}

static uint64_t at_least_one(uint64_t size) { return size != 0 ? size : 1; }

/* Each level has half of the sizes of the one before it; the number of layers stays. */
static gw_word bytes_of(struct extent extent, uint64_t bits, uint64_t levels, uint32_t flags) {
  uint64_t elements = 0;
  if ((flags & (SPARSE | DEFERRED_MAPPING)) != 0) {
    return 0;
  }
  for (uint64_t level = 0; level < levels && level < 64; level++) {
    uint64_t width = at_least_one(extent.width >> level);
    uint64_t height = at_least_one(extent.height >> level);
    uint64_t depth = at_least_one(extent.depth >> ((flags & (LAYERED | CUBE)) != 0 ? 0 : level));
    elements += width * height * depth;
    if (width == 1 && height == 1 && (depth == 1 || (flags & (LAYERED | CUBE)) != 0)) {
      break;
    }
  }
  return elements * bits / 8;
}

gw_word gw_array_2d(gw_word descriptor) {
  const struct descriptor_2d *array = (const void *)descriptor;
  if (array == NULL) {
    return 0;
  }
  struct extent extent = {array->width, array->height, 1};
  return bytes_of(extent, bits_of_element(array->format, array->channels), 1, 0);
}

gw_word gw_array_3d(gw_word descriptor, gw_word levels) {
  const struct descriptor_3d *array = (const void *)descriptor;
  if (array == NULL) {
    return 0;
  }
  struct extent extent = {array->width, array->height, array->depth};
  return bytes_of(extent, bits_of_element(array->format, array->channels), (uint32_t)levels,
                  array->flags);
}

gw_word gw_array_of(gw_word channels, gw_word width, gw_word height, gw_word depth, gw_word levels,
                    gw_word flags) {
  const struct channels *of = (const void *)channels;
  if (of == NULL) {
    return 0;
  }
  struct extent extent = {width, height, depth};
  return bytes_of(extent, (uint64_t)(of->x + of->y + of->z + of->w), (uint32_t)levels,
                  (uint32_t)flags);
}
