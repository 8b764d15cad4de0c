#include "graph_memory.h"

#include <pthread.h>
#include <stddef.h>

_Atomic bool gw_graphs_allocate;

/* CUDA_MEM_ALLOC_NODE_PARAMS, hipMemAllocNodeParams. */
struct alloc_node {
  int type, handle_types, location_type, location;
  uint64_t others[11];
  uint64_t bytes;
};

/* CUgraphNodeParams, hipGraphNodeParams. */
struct any_node {
  int type, reserved[3];
  struct alloc_node alloc;
};
#define ALLOCATES 10

_Static_assert(offsetof(struct alloc_node, bytes) == 104, "as in both APIs");

struct gw_allocation gw_graph_allocation(gw_word node) {
  const struct alloc_node *wanted = (const void *)node;
  struct gw_allocation allocation = {.node = true};
  if (wanted != NULL) {
    allocation.device = gw_device_find_at(wanted->location);
    allocation.bytes = wanted->bytes;
  }
  return allocation;
}

struct gw_allocation gw_graph_allocation_of_any(gw_word node) {
  const struct any_node *wanted = (const void *)node;
  bool allocates = wanted != NULL && wanted->type == ALLOCATES;
  return gw_graph_allocation(allocates ? (gw_word)&wanted->alloc : 0);
}

/* Threads may launch graphs at once, and no lock is held while the driver is asked. So readings
 * have numbers, from before the driver looks, and of two readings the later one counts. A thread
 * that has changed the pool reads it afterwards. */
static _Atomic uint64_t readings;
static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;

static void update(struct gw_device *device, int index) {
  uint64_t reading = atomic_fetch_add(&readings, 1) + 1, now = gw_driver_graph_memory(index);
  pthread_mutex_lock(&noting);
  if (reading > device->graph_reading) {
    device->graph_reading = reading;
    gw_memory_change(device, atomic_exchange(&device->graph_memory, now), now);
  }
  pthread_mutex_unlock(&noting);
}

void gw_graph_memory_update(void) {
  for (int i = 0; i < GW_DEVICES; i++) {
    struct gw_device *device = atomic_load(&gw_devices[i]);
    if (device != NULL) {
      update(device, i);
    }
  }
}
