/* driver.h over libamdhip64. Handles are words here: none is ever looked into. HIP has one context
 * for each device, so a context is a device + 1. */
#include "driver.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hooks.h"
#include "ids.h"
#include "load/library.h"

#define NOT_READY 600           /* hipErrorNotReady */
#define GRAPH_MEMORY_RESERVED 2 /* hipGraphMemAttrReservedMemCurrent */
#define EVENT_DEFAULT 0
#define CAPTURE_MODE_RELAXED 2
#define CAPTURE_NONE 0
#define REGISTER_PORTABLE_AND_MAPPED 3
#define ALREADY_REGISTERED 712
#define WAIT_UNTIL_REACHED 0 /* hipStreamWaitValueGte */
#define NON_BLOCKING 1

const char gw_soname[] = GIVEWAY_SONAME;
const char gw_library_variable[] = "GIVEWAY_HIP_LIBRARY";
const char gw_library_folders[] = "/opt/rocm/lib";
const int gw_not_supported = 801; /* hipErrorNotSupported */
const int gw_no_device = 100;     /* hipErrorNoDevice */
const bool gw_driver_events_touch_streams = true;

__thread bool gw_in_hook;

/* The real function, with every argument a word. */
#define REAL(name) ((int (*)())gw_slots[GW_ID_##name])

/* For every call of the shim itself, from whatever thread:
 *
 * The program's hipGetLastError must not return an error of the shim's own calls. An error of the
 * program that it has not read yet cannot be put back, so in that case nothing is changed.
 *
 * What the runtime calls through its own exports belongs to the shim's call and passes the hooks,
 * which take the locks that the caller may hold. */
#define QUIETLY(result, call)                                                                      \
  do {                                                                                             \
    bool in_hook = gw_in_hook;                                                                     \
    gw_in_hook = true;                                                                             \
    int pending = REAL(hipPeekAtLastError)();                                                      \
    result = call;                                                                                 \
    if (result != 0 && pending == 0) {                                                             \
      REAL(hipGetLastError)();                                                                     \
    }                                                                                              \
    gw_in_hook = in_hook;                                                                          \
  } while (0)

/* While a thread captures in global mode, the runtime refuses what might disturb it and gives the
 * capture up. The shim's calls do not disturb: they are made in relaxed mode. Always, because a
 * capture may begin or end at any moment. */
#define RELAXED(result, call)                                                                      \
  do {                                                                                             \
    int exchanged, mode = CAPTURE_MODE_RELAXED;                                                    \
    QUIETLY(exchanged, REAL(hipThreadExchangeStreamCaptureMode)(&mode));                           \
    QUIETLY(result, call);                                                                         \
    if (exchanged == 0) {                                                                          \
      QUIETLY(exchanged, REAL(hipThreadExchangeStreamCaptureMode)(&mode));                         \
    }                                                                                              \
  } while (0)

/* The legacy stream has a handle of its own in newer runtimes only: older ones would follow it. */
static gw_word handle(gw_word stream) { return stream == GW_STREAM_LEGACY ? 0 : stream; }

int gw_driver_device_count(void) {
  int result, count = 0;
  QUIETLY(result, REAL(hipGetDeviceCount)(&count));
  return result == 0 ? count : 0;
}

int gw_driver_current_device(void) {
  int result, device = -1;
  QUIETLY(result, REAL(hipGetDevice)(&device));
  return result == 0 ? device : -1;
}

gw_word gw_driver_current_context(void) { return (gw_word)(gw_driver_current_device() + 1); }

/* The 16 bytes are the 16 digits that rocm-smi and the kernel have as the unique id. Cards without
 * one go by their place on the bus, which has colons where a file name should not. */
bool gw_driver_device_name(int device, char *name, size_t size) {
  char id[17] = "";
  int result;
  QUIETLY(result, REAL(hipDeviceGetUuid)(id, device));
  if (result == 0 && strspn(id, "0123456789abcdefABCDEF") == 16) {
    int n = snprintf(name, size, "GPU-");
    for (int i = 0; i < 16 && n > 0 && (size_t)n < size; i++) {
      n += snprintf(name + n, size - (size_t)n, "%c", tolower((unsigned char)id[i]));
    }
    return (size_t)n < size;
  }
  char bus[64] = "";
  QUIETLY(result, REAL(hipDeviceGetPCIBusId)(bus, (int)sizeof bus, device));
  if (result != 0 || bus[0] == '\0') {
    return false;
  }
  for (char *c = bus; *c != '\0'; c++) {
    *c = *c == ':' ? '-' : (char)tolower((unsigned char)*c);
  }
  int n = snprintf(name, size, "GPU-pci-%s", bus);
  return n > 0 && (size_t)n < size;
}

gw_word gw_driver_stream_context(gw_word stream) {
  int result = -1, device = -1;
  if (stream > GW_STREAM_PER_THREAD) { /* runtimes before 5.7 cannot say */
    QUIETLY(result, REAL(hipStreamGetDevice)(stream, &device));
  }
  return result == 0 ? (gw_word)(device + 1) : gw_driver_current_context();
}

int gw_driver_context_device(gw_word context) { return (int)context - 1; }

bool gw_driver_use_context(gw_word context) {
  int result = 0;
  if (gw_driver_current_context() != context) {
    QUIETLY(result, REAL(hipSetDevice)((int)context - 1));
  }
  return result == 0;
}

bool gw_driver_side_by_side(int device) {
  (void)device;
  return false;
}

struct gw_driver_memory gw_driver_memory(int device) {
  struct gw_driver_memory memory = {0};
  uint64_t total;
  int result;
  QUIETLY(result, REAL(hipDeviceTotalMem)(&memory.total, device));
  if (result != 0) {
    return (struct gw_driver_memory){0};
  }
  if (gw_driver_current_device() == device) {
    RELAXED(result, REAL(hipMemGetInfo)(&memory.free, &total));
    memory.free_known = result == 0 && memory.free <= memory.total;
  }
  return memory;
}

uint64_t gw_driver_graph_memory(int device) {
  uint64_t bytes = 0;
  int result;
  QUIETLY(result, REAL(hipDeviceGetGraphMemAttribute)(device, GRAPH_MEMORY_RESERVED, &bytes));
  return result == 0 ? bytes : 0;
}

enum gw_busy gw_driver_stream_busy(gw_word context, gw_word stream) {
  if (stream == GW_STREAM_PER_THREAD) {
    return GW_UNKNOWN; /* every thread has another stream of that name */
  }
  int result;
  if (!gw_driver_use_context(context)) {
    return GW_UNKNOWN;
  }
  RELAXED(result, REAL(hipStreamQuery)(handle(stream)));
  return result == 0 ? GW_DONE : result == NOT_READY ? GW_BUSY : GW_UNKNOWN;
}

/* The legacy stream is not asked: older runtimes follow its handle, 0. */
bool gw_driver_capturing(gw_word stream) {
  int result, status = CAPTURE_NONE;
  if (handle(stream) == 0) {
    return true;
  }
  QUIETLY(result, REAL(hipStreamIsCapturing)(stream, &status));
  return result != 0 || status != CAPTURE_NONE;
}

bool gw_driver_stream_blocks(gw_word stream) {
  int result;
  unsigned flags = 0;
  if (stream <= GW_STREAM_PER_THREAD) {
    return true;
  }
  QUIETLY(result, REAL(hipStreamGetFlags)(stream, &flags));
  return result != 0 || (flags & NON_BLOCKING) == 0;
}

/* AMD requires memory of its own kind there, which a page is not. So stream gates are off unless
 * the user asks for them. */
const bool gw_driver_gates_by_default = false;

gw_word gw_driver_gate_register(void *memory, size_t size, void *word) {
  gw_word address = 0;
  int result;
  RELAXED(result, REAL(hipHostRegister)(memory, size, REGISTER_PORTABLE_AND_MAPPED));
  if (result != 0 && result != ALREADY_REGISTERED) {
    return 0;
  }
  QUIETLY(result, REAL(hipHostGetDevicePointer)(&address, word, 0));
  return result == 0 ? address : 0;
}

bool gw_driver_gate_wait(gw_word stream, gw_word address, uint32_t value) {
  int result;
  RELAXED(result, REAL(hipStreamWaitValue32)(handle(stream), address, value, WAIT_UNTIL_REACHED,
                                             UINT32_MAX));
  return result == 0;
}

void gw_driver_gate_clear(gw_word context, gw_word address) {
  gw_word stream = 0;
  int result;
  if (!gw_driver_use_context(context)) {
    return;
  }
  RELAXED(result, REAL(hipStreamCreateWithFlags)(&stream, NON_BLOCKING));
  if (result == 0) { /* the stream is never destroyed: that call might wait */
    RELAXED(result, REAL(hipStreamWriteValue32)(stream, address, UINT32_MAX, 0));
  }
}

gw_word gw_driver_event_create(void) {
  gw_word event = 0;
  int result;
  RELAXED(result, REAL(hipEventCreateWithFlags)(&event, EVENT_DEFAULT));
  return result == 0 ? event : 0;
}

bool gw_driver_event_record(gw_word event, gw_word stream) {
  int result;
  RELAXED(result, REAL(hipEventRecord)(event, handle(stream)));
  return result == 0;
}

enum gw_busy gw_driver_event_query(gw_word event) {
  int result;
  RELAXED(result, REAL(hipEventQuery)(event));
  return result == 0 ? GW_DONE : result == NOT_READY ? GW_BUSY : GW_UNKNOWN;
}

uint64_t gw_driver_event_elapsed(gw_word start, gw_word end) {
  float ms = 0;
  int result;
  RELAXED(result, REAL(hipEventElapsedTime)(&ms, start, end));
  return result == 0 && ms > 0 ? (uint64_t)((double)ms * 1e6) : 0;
}

void *gw_driver_symbol(void *handle, const char *name) {
  (void)handle, (void)name;
  return NULL;
}

/* A kernel is a handle to launches of modules, and the address of a host function to the others,
 * which take a handle as well from 7.x on. The runtime has a function for each kind, and the one
 * for handles follows what it is given without looking; but here, a launch of the kernel has
 * worked. */
static bool by_handle(unsigned id) {
  return strstr(gw_names[id], "Module") != NULL ||
         strcmp(gw_names[id], "hipDrvLaunchKernelEx") == 0;
}

bool gw_driver_kernel_name(unsigned id, gw_word kernel, char *name, size_t size) {
  const char *(*of_handle)(gw_word) = (const char *(*)(gw_word))gw_slots[GW_ID_hipKernelNameRef];
  const char *(*of_address)(gw_word, gw_word) =
      (const char *(*)(gw_word, gw_word))gw_slots[GW_ID_hipKernelNameRefByPtr];
  const char *found = NULL;
  if (!by_handle(id)) {
    found = of_address(kernel, 0); /* the name does not depend on the stream */
  }
  if (found == NULL) {
    found = of_handle(kernel);
  }
  return found != NULL && snprintf(name, size, "%s", found) > 0;
}

/* No I/O here: this only makes gw_hooked return 1. */
__attribute__((constructor)) static void say_hooked(void) { gw_set_hooked("hip", gw_current_task); }
