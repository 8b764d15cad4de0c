/* A libhsa-runtime64 for tests, below AMD's own HIP runtime on a machine without an AMD GPU. Agents
 * and pools are simulated; queues complete their packets in order; copies are memcpy. Kernels are
 * counted and take the stated time, but are never executed: they compute no results, and every time
 * measured here is simulated.
 *
 * tests/rocm builds it with the headers of the release above it. Environment:
 *   GIVEWAY_FAKE_HSA_LOG     a file: every kernel that a queue takes adds a line, PID NAME
 *   GIVEWAY_FAKE_KERNEL_NS   how long a kernel takes; a kernel named ns_200000 takes 200 us
 *   GIVEWAY_FAKE_DEVICES     the number of GPUs: 1
 *   GIVEWAY_FAKE_DIR         the folder of the state that processes share: /dev/shm */
#ifndef GIVEWAY_FAKE_HSA_H
#define GIVEWAY_FAKE_HSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hsa/amd_hsa_queue.h>
#include <hsa/amd_hsa_signal.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#define OK HSA_STATUS_SUCCESS
#define INVALID HSA_STATUS_ERROR_INVALID_ARGUMENT
#define NO_MEMORY HSA_STATUS_ERROR_OUT_OF_RESOURCES

#define CPU 1 /* the handle of the CPU's agent; the handles of GPUs follow */
#define GPU 2

/* agents.c */
unsigned hsa_gpus(void);
static inline bool is_gpu(hsa_agent_t agent) { return agent.handle >= GPU; }

/* signals.c: a change of any signal wakes all waiting threads */
bool signal_is(hsa_signal_t signal, hsa_signal_condition_t condition, hsa_signal_value_t value);
/* Work that used the signal as its completion signal is done; 0 is no signal. */
void signal_done(hsa_signal_t signal, uint64_t start_ns, uint64_t end_ns);
/* The number of changes so far; and a wait until the number is another one. */
uint32_t signals_seen(void);
void signals_wait(uint32_t seen, uint64_t ns);
void signals_changed(void);

/* code.c: the name of the kernel with this descriptor */
const char *kernel_name(uint64_t object);

/* device.c: runs a kernel alone on its device, among all processes; returns its begin and end */
struct ran {
  uint64_t start_ns, end_ns;
};
struct ran device_run(unsigned device, const char *kernel, uint64_t from_ns);
/* A queue of the device has work, or has none. */
void device_busy(unsigned device, bool busy);
uint64_t fake_now(void);

#endif
