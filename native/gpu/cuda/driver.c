/* driver.h over libcuda. Handles are words here: none is ever looked into. */
#include "driver.h"

#include <stdio.h>
#include <string.h>

#include "device.h"
#include "hooks.h"
#include "ids.h"
#include "load/library.h"
#include "load/resolve.h"

#define NOT_READY 600 /* CUDA_ERROR_NOT_READY */
#define EVENT_DEFAULT 0
#define CAPTURE_MODE_RELAXED 2
#define CAPTURE_NONE 0
#define REGISTER_PORTABLE_AND_MAPPED 3
#define ALREADY_REGISTERED 712
#define WAIT_UNTIL_REACHED 0 /* CU_STREAM_WAIT_VALUE_GEQ */
#define NON_BLOCKING 1
#define MPS_ENABLED 133         /* CU_DEVICE_ATTRIBUTE_MPS_ENABLED */
#define GRAPH_MEMORY_RESERVED 2 /* CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT */

const char gw_soname[] = GIVEWAY_SONAME;
const char gw_library_variable[] = "GIVEWAY_CUDA_LIBRARY";
const char gw_library_folders[] = "";
const int gw_not_supported = 801; /* CUDA_ERROR_NOT_SUPPORTED */
const int gw_no_device = 100;     /* CUDA_ERROR_NO_DEVICE */
const bool gw_driver_events_touch_streams = false;

void *gw_missing(const char *name) {
  (void)name;
  return NULL;
}

/* The real function, with every argument a word. */
#define REAL(name) ((int (*)())gw_slots[GW_ID_##name])

/* While a thread captures in global mode, the driver refuses what might disturb it and gives the
 * capture up. The shim's calls do not disturb: they are made in relaxed mode. Always, because a
 * capture may begin or end at any moment. */
#define RELAXED(result, call)                                                                      \
  do {                                                                                             \
    int mode = CAPTURE_MODE_RELAXED;                                                               \
    bool relaxed = REAL(cuThreadExchangeStreamCaptureMode)(&mode) == 0;                            \
    result = call;                                                                                 \
    if (relaxed) {                                                                                 \
      REAL(cuThreadExchangeStreamCaptureMode)(&mode);                                              \
    }                                                                                              \
  } while (0)

int gw_driver_device_count(void) {
  int count = 0;
  return REAL(cuDeviceGetCount)(&count) == 0 ? count : 0;
}

int gw_driver_current_device(void) {
  int device = -1;
  return REAL(cuCtxGetDevice)(&device) == 0 ? device : -1;
}

gw_word gw_driver_current_context(void) {
  gw_word context = 0;
  return REAL(cuCtxGetCurrent)(&context) == 0 ? context : 0;
}

gw_word gw_driver_stream_context(gw_word stream) {
  gw_word context = 0;
  return stream > GW_STREAM_PER_THREAD && REAL(cuStreamGetCtx)(stream, &context) == 0
             ? context
             : gw_driver_current_context();
}

int gw_driver_context_device(gw_word context) {
  gw_word same;
  if (context == gw_driver_current_context() || REAL(cuCtxPushCurrent_v2)(context) != 0) {
    return gw_driver_current_device();
  }
  int device = gw_driver_current_device();
  REAL(cuCtxPopCurrent_v2)(&same);
  return device;
}

bool gw_driver_use_context(gw_word context) {
  return gw_driver_current_context() == context || REAL(cuCtxSetCurrent)(context) == 0;
}

/* As nvidia-smi writes it. With MIG it is that of the instance: instances share nothing. */
bool gw_driver_device_name(int device, char *name, size_t size) {
  unsigned char u[16];
  if (REAL(cuDeviceGetUuid_v2)(u, device) != 0 && REAL(cuDeviceGetUuid)(u, device) != 0) {
    return false;
  }
  int n = snprintf(name, size, "GPU-");
  for (int i = 0; i < 16; i++) {
    bool dash = i == 4 || i == 6 || i == 8 || i == 10;
    n += snprintf(name + n, size - (size_t)n, "%s%02x", dash ? "-" : "", u[i]);
  }
  return (size_t)n < size;
}

/* Older drivers do not know the attribute: programs then count as served in turn. */
bool gw_driver_side_by_side(int device) {
  int enabled = 0;
  return REAL(cuDeviceGetAttribute)(&enabled, MPS_ENABLED, device) == 0 && enabled == 1;
}

struct gw_driver_memory gw_driver_memory(int device) {
  struct gw_driver_memory memory = {0};
  uint64_t total;
  int result;
  if (REAL(cuDeviceTotalMem_v2)(&memory.total, device) != 0) {
    return (struct gw_driver_memory){0};
  }
  if (gw_driver_current_device() == device) {
    RELAXED(result, REAL(cuMemGetInfo_v2)(&memory.free, &total));
    memory.free_known = result == 0 && memory.free <= memory.total;
  }
  return memory;
}

uint64_t gw_driver_graph_memory(int device) {
  uint64_t bytes = 0;
  int result;
  RELAXED(result, REAL(cuDeviceGetGraphMemAttribute)(device, GRAPH_MEMORY_RESERVED, &bytes));
  return result == 0 ? bytes : 0;
}

enum gw_busy gw_driver_stream_busy(gw_word context, gw_word stream) {
  if (stream == 2) {
    return GW_UNKNOWN; /* every thread has another stream of that name */
  }
  if (!gw_driver_use_context(context)) {
    return GW_UNKNOWN;
  }
  int result;
  RELAXED(result, REAL(cuStreamQuery)(stream));
  return result == 0 ? GW_DONE : result == NOT_READY ? GW_BUSY : GW_UNKNOWN;
}

bool gw_driver_capturing(gw_word stream) {
  int status = CAPTURE_NONE;
  return REAL(cuStreamIsCapturing)(stream, &status) != 0 || status != CAPTURE_NONE;
}

bool gw_driver_stream_blocks(gw_word stream) {
  unsigned flags = 0;
  return stream <= GW_STREAM_PER_THREAD || REAL(cuStreamGetFlags)(stream, &flags) != 0 ||
         (flags & NON_BLOCKING) == 0;
}

/* Launches take handles of two kinds, and each function knows one. */
bool gw_driver_kernel_name(unsigned id, gw_word kernel, char *name, size_t size) {
  (void)id;
  const char *found = NULL;
  if (REAL(cuFuncGetName)(&found, kernel) != 0 && REAL(cuKernelGetName)(&found, kernel) != 0) {
    return false;
  }
  return found != NULL && snprintf(name, size, "%s", found) > 0;
}

const bool gw_driver_gates_by_default = true;

gw_word gw_driver_gate_register(void *memory, size_t size, void *word) {
  gw_word address = 0;
  int result;
  RELAXED(result, REAL(cuMemHostRegister_v2)(memory, size, REGISTER_PORTABLE_AND_MAPPED));
  if (result != 0 && result != ALREADY_REGISTERED) {
    return 0;
  }
  return REAL(cuMemHostGetDevicePointer_v2)(&address, word, 0) == 0 ? address : 0;
}

bool gw_driver_gate_wait(gw_word stream, gw_word address, uint32_t value) {
  int result;
  RELAXED(result, REAL(cuStreamWaitValue32_v2)(stream, address, value, WAIT_UNTIL_REACHED));
  return result == 0;
}

void gw_driver_gate_clear(gw_word context, gw_word address) {
  gw_word stream = 0;
  int result;
  if (!gw_driver_use_context(context)) {
    return;
  }
  RELAXED(result, REAL(cuStreamCreate)(&stream, NON_BLOCKING));
  if (result == 0) { /* the stream is never destroyed: that call might wait */
    RELAXED(result, REAL(cuStreamWriteValue32_v2)(stream, address, UINT32_MAX, 0));
  }
}

gw_word gw_driver_event_create(void) {
  gw_word event = 0;
  int result;
  RELAXED(result, REAL(cuEventCreate)(&event, EVENT_DEFAULT));
  return result == 0 ? event : 0;
}

bool gw_driver_event_record(gw_word event, gw_word stream) {
  int result;
  RELAXED(result, REAL(cuEventRecord)(event, stream));
  return result == 0;
}

enum gw_busy gw_driver_event_query(gw_word event) {
  int result;
  RELAXED(result, REAL(cuEventQuery)(event));
  return result == 0 ? GW_DONE : result == NOT_READY ? GW_BUSY : GW_UNKNOWN;
}

uint64_t gw_driver_event_elapsed(gw_word start, gw_word end) {
  float ms = 0;
  int result;
  RELAXED(result, REAL(cuEventElapsedTime)(&ms, start, end));
  return result == 0 && ms > 0 ? (uint64_t)((double)ms * 1e6) : 0;
}

/* No I/O here: this only makes gw_hooked return 1. */
__attribute__((constructor)) static void say_hooked(void) {
  gw_set_hooked("cuda", gw_current_task);
}
