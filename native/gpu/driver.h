/* The driver as the shims use it: implemented once for each API, over the real library. No function
 * here may change what the program sees of the driver. */
#ifndef GIVEWAY_GPU_DRIVER_H
#define GIVEWAY_GPU_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t gw_word; /* an argument as it is passed: a register or a slot of the stack */

/* The handles that CUDA and HIP give the two default streams. */
#define GW_STREAM_LEGACY 1
#define GW_STREAM_PER_THREAD 2

enum gw_busy { GW_DONE = 0, GW_BUSY = 1, GW_UNKNOWN = -1 };

/* Devices that this process sees; 0 before the driver is initialised, or where it does not work. */
int gw_driver_device_count(void);
/* The calling thread's device, from 0; -1: none. */
int gw_driver_current_device(void);
/* The context of the calling thread; 0: none. */
gw_word gw_driver_current_context(void);
/* The context of the stream; the calling thread's where the driver cannot say. */
gw_word gw_driver_stream_context(gw_word stream);
/* The device of the context, from 0; -1: none. */
int gw_driver_context_device(gw_word context);
/* Makes the context current to the calling thread. */
bool gw_driver_use_context(gw_word context);
/* The name of the device's gate page. */
bool gw_driver_device_name(int device, char *name, size_t size);
/* Whether kernels of several programs run at the same time there, as clients of MPS; else the
 * device serves programs in turn. */
bool gw_driver_side_by_side(int device);
/* The memory of the device: in bytes, 0 where the driver does not say. What is free is known of the
 * calling thread's device only. */
struct gw_driver_memory {
  uint64_t total, free;
  bool free_known;
};
struct gw_driver_memory gw_driver_memory(int device);
/* What the device's pool for graphs of this process has, in bytes; 0 where the driver cannot say.
 */
uint64_t gw_driver_graph_memory(int device);
/* Whether work submitted to the stream is still to be done; from a thread without a context. */
enum gw_busy gw_driver_stream_busy(gw_word context, gw_word stream);
/* Whether the stream is being captured; true where the driver cannot say. */
bool gw_driver_capturing(gw_word stream);
/* Whether the stream synchronises with the legacy stream; true where the driver cannot say. */
bool gw_driver_stream_blocks(gw_word stream);

/* The mangled name of a kernel; false where the driver cannot say. `id` is the function that has
 * just launched it, which tells what kind of handle the kernel is. */
bool gw_driver_kernel_name(unsigned id, gw_word kernel, char *name, size_t size);

/* The shim's function in place of one that the loader finds in another library of the driver's;
 * NULL: none. */
void *gw_driver_symbol(void *handle, const char *name);

/* Whether a query of an event makes the driver look at the stream where the event was recorded:
 * that stream may be destroyed, or the query may end its capture. */
extern const bool gw_driver_events_touch_streams;

/* Whether stream gates are used where the user does not say. */
extern const bool gw_driver_gates_by_default;
/* Registers memory of this process with the current context's device. The word's address for the
 * device; 0: not possible. */
gw_word gw_driver_gate_register(void *memory, size_t size, void *word);
/* Makes the stream wait until the 32 bits at the address less value, as signed, are not negative.
 */
bool gw_driver_gate_wait(gw_word stream, gw_word address, uint32_t value);
/* Makes the device write 32 ones to the address; from a thread without a context. */
void gw_driver_gate_clear(gw_word context, gw_word address);

/* Events (fences), in the current context. 0: none could be made. */
gw_word gw_driver_event_create(void);
bool gw_driver_event_record(gw_word event, gw_word stream);
enum gw_busy gw_driver_event_query(gw_word event);
/* Nanoseconds between two events that are done; 0: unknown. */
uint64_t gw_driver_event_elapsed(gw_word start, gw_word end);

/* The checkpoint of the calling process's device memory, in these steps. */
enum gw_checkpoint_step {
  GW_CHECKPOINT_LOCK, /* waits for submitted work, and then lets calls wait */
  GW_CHECKPOINT_SAVE,
  GW_CHECKPOINT_RESTORE,
  GW_CHECKPOINT_UNLOCK,
};
bool gw_driver_can_checkpoint(void);
/* An enum gw_park_error; *number: the driver's own. */
uint32_t gw_driver_checkpoint(enum gw_checkpoint_step step, uint32_t timeout_ms, uint32_t *number);

#endif
