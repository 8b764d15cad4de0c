/* Queues. Each has a thread, which takes the packets in order. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "stand_in.h"

#define FOREVER UINT64_MAX

struct queue {
  amd_queue_t amd; /* first: what the runtime sees */
  unsigned device;
  _Atomic bool closed;
  pthread_t thread;
};

static struct queue *at(const hsa_queue_t *queue) { return (struct queue *)(uintptr_t)queue; }

static _Atomic uint64_t *write_index(struct queue *queue) {
  return (_Atomic uint64_t *)(uintptr_t)&queue->amd.write_dispatch_id;
}

static _Atomic uint64_t *read_index(struct queue *queue) {
  return (_Atomic uint64_t *)(uintptr_t)&queue->amd.read_dispatch_id;
}

union packet {
  _Atomic uint16_t header;
  hsa_kernel_dispatch_packet_t kernel;
  hsa_barrier_and_packet_t barrier; /* a barrier-or looks the same */
  hsa_amd_barrier_value_packet_t value;
};

static bool ready(const union packet *packet, unsigned type) {
  if (type == HSA_PACKET_TYPE_VENDOR_SPECIFIC) {
    const hsa_amd_barrier_value_packet_t *wait = &packet->value;
    if (wait->header.AmdFormat != HSA_AMD_PACKET_TYPE_BARRIER_VALUE || wait->signal.handle == 0) {
      return true;
    }
    hsa_signal_value_t now = hsa_signal_load_relaxed(wait->signal) & wait->mask;
    switch (wait->cond) {
    case HSA_SIGNAL_CONDITION_EQ:
      return now == wait->value;
    case HSA_SIGNAL_CONDITION_NE:
      return now != wait->value;
    case HSA_SIGNAL_CONDITION_LT:
      return now < wait->value;
    default:
      return now >= wait->value;
    }
  }
  unsigned signals = 0, done = 0;
  for (int i = 0; i < 5; i++) {
    hsa_signal_t signal = packet->barrier.dep_signal[i];
    signals += signal.handle != 0;
    done += signal.handle != 0 && signal_is(signal, HSA_SIGNAL_CONDITION_EQ, 0);
  }
  return type == HSA_PACKET_TYPE_BARRIER_AND ? done == signals : signals == 0 || done != 0;
}

/* Whether the packet had to wait for a signal. */
static bool wait_until_ready(struct queue *queue, const union packet *packet, unsigned type) {
  bool waited = false;
  for (;;) {
    uint32_t seen = signals_seen();
    if (ready(packet, type) || atomic_load(&queue->closed)) {
      return waited;
    }
    if (!waited) {
      device_busy(queue->device, false);
      waited = true;
    }
    signals_wait(seen, FOREVER);
  }
}

static uint64_t process(struct queue *queue, const union packet *packet, unsigned type,
                        uint64_t from) {
  struct ran ran = {from, from};
  hsa_signal_t completion = packet->barrier.completion_signal; /* at one place in all of them */
  if (type == HSA_PACKET_TYPE_KERNEL_DISPATCH) {
    ran = device_run(queue->device, kernel_name(packet->kernel.kernel_object), from);
  } else {
    if (wait_until_ready(queue, packet, type)) {
      device_busy(queue->device, true);
      ran.end_ns = fake_now();
    }
    ran.start_ns = ran.end_ns;
  }
  signal_done(completion, ran.start_ns, ran.end_ns);
  return ran.end_ns;
}

static void *run(void *argument) {
  struct queue *queue = argument;
  union packet *packets = queue->amd.hsa_queue.base_address;
  uint64_t mask = queue->amd.hsa_queue.size - 1, last = 0;
  bool busy = false;
  while (!atomic_load(&queue->closed)) {
    uint32_t seen = signals_seen();
    uint64_t read = atomic_load(read_index(queue));
    union packet *packet = &packets[read & mask];
    unsigned type = atomic_load(&packet->header) >> HSA_PACKET_HEADER_TYPE & 0xff;
    if (read == atomic_load(write_index(queue)) || type == HSA_PACKET_TYPE_INVALID) {
      if (busy) {
        device_busy(queue->device, busy = false);
      }
      signals_wait(seen, FOREVER);
      continue;
    }
    if (!busy) {
      device_busy(queue->device, busy = true);
      last = fake_now();
    }
    last = process(queue, packet, type, last);
    atomic_store(&packet->header, HSA_PACKET_TYPE_INVALID);
    atomic_store(read_index(queue), read + 1);
  }
  if (busy) {
    device_busy(queue->device, false);
  }
  return NULL;
}

hsa_status_t hsa_queue_create(hsa_agent_t agent, uint32_t size, hsa_queue_type32_t type,
                              void (*callback)(hsa_status_t, hsa_queue_t *, void *), void *data,
                              uint32_t private_size, uint32_t group_size, hsa_queue_t **queue) {
  static _Atomic uint64_t ids;
  (void)callback, (void)data, (void)private_size, (void)group_size;
  if (!is_gpu(agent) || size == 0 || (size & (size - 1)) != 0) {
    return INVALID;
  }
  struct queue *new = aligned_alloc(64, (sizeof *new + 63) / 64 * 64);
  union packet *packets = aligned_alloc(64, size * sizeof *packets);
  if (new == NULL || packets == NULL) {
    return NO_MEMORY;
  }
  memset(new, 0, sizeof *new);
  new->device = (unsigned)(agent.handle - GPU);
  new->amd.hsa_queue = (hsa_queue_t){
      .type = type,
      .features = HSA_QUEUE_FEATURE_KERNEL_DISPATCH,
      .base_address = packets,
      .size = size,
      .id = atomic_fetch_add(&ids, 1),
  };
  for (uint32_t i = 0; i < size; i++) {
    atomic_store(&packets[i].header, HSA_PACKET_TYPE_INVALID);
  }
  hsa_signal_create(-1, 0, NULL, &new->amd.hsa_queue.doorbell_signal);
  pthread_create(&new->thread, NULL, run, new);
  *queue = &new->amd.hsa_queue;
  return OK;
}

hsa_status_t hsa_queue_destroy(hsa_queue_t *handle) {
  struct queue *queue = at(handle);
  atomic_store(&queue->closed, true);
  signals_changed();
  pthread_join(queue->thread, NULL);
  hsa_signal_destroy(handle->doorbell_signal);
  free(handle->base_address);
  free(queue);
  return OK;
}

uint64_t hsa_queue_add_write_index_screlease(const hsa_queue_t *queue, uint64_t value) {
  return atomic_fetch_add(write_index(at(queue)), value);
}

uint64_t hsa_queue_load_write_index_relaxed(const hsa_queue_t *queue) {
  return atomic_load(write_index(at(queue)));
}

uint64_t hsa_queue_load_read_index_relaxed(const hsa_queue_t *queue) {
  return atomic_load(read_index(at(queue)));
}

uint64_t hsa_queue_load_read_index_scacquire(const hsa_queue_t *queue) {
  return atomic_load(read_index(at(queue)));
}

hsa_status_t hsa_amd_queue_set_priority(hsa_queue_t *queue, hsa_amd_queue_priority_t priority) {
  (void)queue, (void)priority;
  return OK;
}
