/* The hooks of calls about device memory. */
#include "hooks.h"

#include <stddef.h>

/* What is captured becomes a node of a graph. */
void gw_before_alloc(struct gw_call *call) {
  struct gw_device *device = atomic_load_explicit(&gw_only_device, memory_order_acquire);
  device = device != NULL ? device : gw_device_find_of(call->stream);
  call->allocation = (struct gw_allocation){
      .device = device,
      .bytes = call->memory[1],
      .node = device != NULL && gw_device_unless_captured(device, call->stream) == NULL,
  };
}

static void keep(struct gw_call *call, enum gw_memory_kind kind, gw_word of) {
  gw_allocation_made(&call->allocation);
  if (of != 0 && call->allocation.device != NULL) {
    gw_device_note_context(call->allocation.device, of);
  }
  gw_memory_add(&(struct gw_memory){.key = *(const gw_word *)call->memory[0],
                                    .kind = kind,
                                    .device = call->allocation.device,
                                    .of = of,
                                    .bytes = call->allocation.bytes});
}

static void after_alloc(struct gw_call *call, enum gw_memory_kind kind, int result) {
  if (result == 0 && call->allocation.node) {
    atomic_store(&gw_graphs_allocate, true);
  } else if (result == 0) {
    keep(call, kind, gw_driver_current_context());
  } else {
    gw_allocation_failed(&call->allocation);
  }
  gw_allocation_ended(&call->allocation);
}

void gw_after_alloc(struct gw_call *call, int result) {
  after_alloc(call, GW_MEMORY_ADDRESS, result);
}

void gw_before_array(struct gw_call *call) { gw_before_alloc(call); }
void gw_after_array(struct gw_call *call, int result) {
  after_alloc(call, GW_MEMORY_ARRAY, result);
}

void gw_before_alloc_node(struct gw_call *call) {
  call->allocation = gw_graph_allocation(call->memory[0]);
}
void gw_after_alloc_node(struct gw_call *call, int result) {
  if (result == 0 && call->allocation.bytes != 0) {
    atomic_store(&gw_graphs_allocate, true);
  }
  gw_allocation_ended(&call->allocation);
}

void gw_before_any_node(struct gw_call *call) {
  call->allocation = gw_graph_allocation_of_any(call->memory[0]);
}
void gw_after_any_node(struct gw_call *call, int result) { gw_after_alloc_node(call, result); }

/* The driver's checkpoint does not know managed memory. */
void gw_before_managed(struct gw_call *call) { gw_before_alloc(call); }
void gw_after_managed(struct gw_call *call, int result) {
  if (result == 0) {
    gw_park_forbid(GW_PARK_MANAGED);
  }
  gw_after_alloc(call, result);
}

/* A context needs memory before the program has a task. */
void gw_before_context_open(struct gw_call *call) {
  call->allocation = (struct gw_allocation){.context = true, .index = (int)call->memory[0]};
}
void gw_after_context_open(struct gw_call *call, int result) {
  (void)result;
  gw_allocation_ended(&call->allocation);
}

/* CUmemAllocationProp and hipMemAllocationProp, as far as they say where the memory is to be. */
struct properties {
  int type, handle_types, location_type, location;
};
#define ON_A_DEVICE 1

void gw_before_create(struct gw_call *call) {
  const struct properties *wanted = (const void *)call->memory[2];
  bool on_device = wanted != NULL && wanted->location_type == ON_A_DEVICE;
  call->allocation = (struct gw_allocation){
      .device = on_device ? gw_device_find_at(wanted->location) : NULL,
      .bytes = on_device ? call->memory[1] : 0,
  };
}

void gw_after_create(struct gw_call *call, int result) {
  if (result == 0) {
    keep(call, GW_MEMORY_HANDLE, 0);
  } else {
    gw_allocation_failed(&call->allocation);
  }
  gw_allocation_ended(&call->allocation);
}

static void before_free(struct gw_call *call, enum gw_memory_kind kind) {
  call->freed = gw_memory_remove(kind, call->memory[0]);
}

static void after_free(struct gw_call *call, enum gw_memory_kind kind, int result) {
  if (result == 0) {
    gw_memory_freed(&call->freed);
  } else {
    gw_memory_put_back(kind, call->memory[0], &call->freed);
  }
}

void gw_before_free(struct gw_call *call) { before_free(call, GW_MEMORY_ADDRESS); }
void gw_after_free(struct gw_call *call, int result) {
  after_free(call, GW_MEMORY_ADDRESS, result);
}

void gw_before_free_array(struct gw_call *call) { before_free(call, GW_MEMORY_ARRAY); }
void gw_after_free_array(struct gw_call *call, int result) {
  after_free(call, GW_MEMORY_ARRAY, result);
}

void gw_before_free_wait(struct gw_call *call) {
  gw_before_free(call);
  gw_before_wait(call);
}

void gw_after_free_wait(struct gw_call *call, int result) {
  gw_after_wait(call, result);
  gw_after_free(call, result);
}

void gw_before_release(struct gw_call *call) { before_free(call, GW_MEMORY_HANDLE); }
void gw_after_release(struct gw_call *call, int result) {
  after_free(call, GW_MEMORY_HANDLE, result);
}

void gw_after_retain(struct gw_call *call, int result) {
  if (result == 0) {
    gw_memory_retain(*(const gw_word *)call->memory[0]);
  }
}

void gw_after_map(struct gw_call *call, int result) {
  if (result == 0) {
    gw_memory_map(call->memory[0], call->memory[1], call->memory[2]);
  }
}

void gw_after_unmap(struct gw_call *call, int result) {
  if (result == 0) {
    gw_memory_unmap(call->memory[0], call->memory[1]);
  }
}

void gw_after_memory_info(struct gw_call *call, int result) {
  if (result == 0 && call->memory[0] != 0 && call->memory[1] != 0) {
    gw_show_memory((uint64_t *)call->memory[0], (uint64_t *)call->memory[1]);
  }
}

void gw_after_size(struct gw_call *call, int result) {
  if (result == 0) {
    gw_show_size((int)call->memory[1], (uint64_t *)call->memory[0]);
  }
}
