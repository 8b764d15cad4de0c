#include "limit.h"

/* The task has what the pool of the device has already. A node is not counted even for a moment,
 * in which it would be in the way of another thread's allocation. */
static int may_take_node(const struct gw_allocation *node) {
  uint64_t pool = atomic_load(&node->device->graph_memory);
  return gw_memory_may_take(node->device->task, node->bytes > pool ? node->bytes - pool : 0);
}

bool gw_allocation_admitted(struct gw_allocation *allocation) {
  bool counts = allocation->device != NULL && !allocation->context;
  int taken = !counts            ? 1
              : allocation->node ? may_take_node(allocation)
                                 : gw_memory_take(allocation->device->task, allocation->bytes,
                                                  &allocation->in_use);
  allocation->counted = counts && taken == 1 && !allocation->node;
  allocation->kept = taken < 0;
  return taken == 1;
}

void gw_allocation_made(struct gw_allocation *allocation) {
  if (allocation->counted) {
    gw_memory_taken(allocation->device->task, allocation->in_use);
  }
}

void gw_allocation_failed(struct gw_allocation *allocation) {
  if (allocation->counted) {
    gw_memory_give(allocation->device->task, allocation->bytes);
    allocation->counted = false;
  }
}

/* The task may have the memory, and the device or a reservation leaves no room: less urgent tasks
 * may give theirs up. A program without a task joins for that, because its task is what the others
 * give way to. */
bool gw_allocation_retried(struct gw_allocation *allocation) {
  bool no_room = allocation->counted || allocation->kept || allocation->context;
  gw_allocation_failed(allocation);
  if (allocation->context && allocation->device == NULL) {
    allocation->device = gw_device_find_at(allocation->index);
  }
  return no_room && allocation->device != NULL &&
         gw_make_room(allocation->device->task, &allocation->search) != 0;
}

void gw_allocation_ended(struct gw_allocation *allocation) {
  if (allocation->device != NULL && allocation->search.ticket != 0) {
    gw_make_room_end(allocation->device->task, &allocation->search);
  }
}

void gw_show_memory(uint64_t *free, uint64_t *total) {
  struct gw_device *device = gw_device_find();
  struct gw_memory_view view;
  if (device == NULL) {
    return;
  }
  gw_memory_view(device->page, device->task, *total, *free, &view);
  if (view.shown) {
    *total = view.total;
    *free = view.free;
  }
}

void gw_view_page(const char *name, uint64_t total, uint64_t free, struct gw_memory_view *view) {
  gw_page *page = NULL;
  gw_task *task = NULL;
  gw_page_open(name, 0, &page);
  for (int i = 0; page != NULL && i < GW_DEVICES; i++) {
    struct gw_device *device = atomic_load(&gw_devices[i]);
    if (device != NULL && device->page == page) {
      task = device->task;
    }
  }
  gw_memory_view(page, task, total, free, view);
}

void gw_show_size(int device, uint64_t *total) {
  char name[64];
  struct gw_memory_view view;
  if (gw_driver_device_name(device, name, sizeof name)) {
    gw_view_page(name, *total, UINT64_MAX, &view);
    *total = view.total;
  }
}
