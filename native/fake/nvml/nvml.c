/* An NVML for tests: one GPU of 17 GiB, of which 3 are in use, and 1 is the driver's own. */
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))
#define GIB (UINT64_C(1) << 30)

struct first {
  uint64_t total, free, used;
};
struct second {
  unsigned version;
  uint64_t total, reserved, free, used;
};

EXPORT int nvmlInit_v2(void) { return 0; }

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  static int gpu;
  *device = &gpu;
  return index == 0 ? 0 : 2;
}

EXPORT int nvmlDeviceGetUUID(void *device, char *uuid, unsigned size) {
  (void)device;
  snprintf(uuid, size, "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00");
  return 0;
}

EXPORT int nvmlDeviceGetMemoryInfo(void *device, struct first *memory) {
  (void)device;
  *memory = (struct first){17 * GIB, 13 * GIB, 4 * GIB};
  return 0;
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(void *device, struct second *memory) {
  (void)device;
  *memory = (struct second){memory->version, 17 * GIB, 1 * GIB, 13 * GIB, 3 * GIB};
  return 0;
}
