/* A libhsa-runtime64 for tests: below AMD's own HIP runtime, where there is no AMD GPU. Agents and
 * pools are simulated; queues take packets in order and complete them; copies are memcpy. Kernels
 * are counted and take the time that is stated, but are never executed: what they would have
 * computed is not there, and every number that comes from here is simulated.
 *
 * Built by tests/rocm over the headers of the release that it goes below. Environment:
 *   GIVEWAY_FAKE_HSA_LOG     a file: every kernel that a queue takes adds a line, PID NAME
 *   GIVEWAY_FAKE_KERNEL_NS   how long a kernel takes; one that is called ns_200000 takes that
 *   GIVEWAY_FAKE_DEVICES     how many GPUs there are: 1
 *   GIVEWAY_FAKE_DIR         where processes find the GPUs that they share: /dev/shm */
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

#define CPU 1 /* the handle of its agent; those of the GPUs follow */
#define GPU 2

/* agents.c */
unsigned hsa_gpus(void);
static inline bool is_gpu(hsa_agent_t agent) { return agent.handle >= GPU; }

/* signals.c: whoever waits for any signal is woken when one changes */
bool signal_is(hsa_signal_t signal, hsa_signal_condition_t condition, hsa_signal_value_t value);
/* Work that used the signal as its completion signal is done; 0 is no signal. */
void signal_done(hsa_signal_t signal, uint64_t start_ns, uint64_t end_ns);
/* What has changed so far, and: waits until something else has. */
uint32_t signals_seen(void);
void signals_wait(uint32_t seen, uint64_t ns);
void signals_changed(void);

/* code.c: the name of the kernel whose descriptor this is */
const char *kernel_name(uint64_t object);

/* device.c: a kernel runs, alone on its device over all processes; when it began and ended */
struct ran {
  uint64_t start_ns, end_ns;
};
struct ran device_run(unsigned device, const char *kernel, uint64_t from_ns);
/* A queue has work, or has none. */
void device_busy(unsigned device, bool busy);
uint64_t fake_now(void);

#endif
