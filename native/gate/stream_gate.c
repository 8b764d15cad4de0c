/* The gate that a device waits for: work that was submitted and has not started stops there. */
#include "internal.h"

#define LATELY_NS (1000 * GW_MS)

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

static int preempted_lately(struct gw_task *task) {
  uint64_t preemptions = GET(task->row->preemptions), now = gw_now();
  if (atomic_exchange(&task->seen_preemptions, preemptions) != preemptions) {
    atomic_store(&task->preempted_until_ns, now + LATELY_NS);
  }
  return now < GET(task->preempted_until_ns);
}

/* Not in a process with several tasks: streams may share a queue of the device, and there a task
 * that is held would hold another of its process. */
int gw_stream_gate(gw_task *task, struct gw_stream_gate *gate) {
  uint64_t ticket = GET(task->ticket);
  if (task->options.is_thread || GET(gw_process.thread_count) != 0 || ticket >= GW_STREAM_TICKETS ||
      GET(task->page->broken) != 0 || GET(task->left) || GET(gw_process.exiting) ||
      gw_task_lost(task)) {
    return 0;
  }
  if (!GET(task->on_device) || (GET(task->row->flags) & GW_ROW_STREAM) == 0) {
    atomic_fetch_or(&task->row->flags, GW_ROW_STREAM);
    atomic_store(&task->on_device, true);
  }
  /* In this order: transitions write the time before they close the gate. */
  bool closed = atomic_load(&task->row->gate) == GW_CLOSED;
  *gate = (struct gw_stream_gate){.page = task->page->map,
                                  .page_size = sizeof *task->page->map,
                                  .word = &task->row->stream_gate,
                                  .open = GW_STREAM_OPEN(ticket),
                                  .preempted_lately = preempted_lately(task),
                                  .closing = closed ? GET(task->row->closed_ns) : 0};
  return 1;
}

/* A page that cannot be trusted has nobody who opens its gates. The device may know other memory by
 * the page's address than we do by now: the hook opens that one. */
static void release(struct gw_task *task) {
  task->released = true;
  atomic_store(&task->row->stream_gate, UINT32_MAX);
  if (task->options.release != NULL) {
    task->options.release(task->options.context);
  }
}

uint64_t gw_look_after_device(struct gw_task *task, uint64_t now) {
  if (!GET(task->on_device) || task->released) {
    return 0;
  }
  if (GET(task->page->broken) == 0) {
    if (atomic_load(&task->row->gate) == GW_OPEN) {
      return 0;
    }
    uint64_t closed = GET(task->row->closed_ns);
    bool waited = task->preempted_ns == closed;
    task->preempted_ns = closed;
    uint64_t slice = gw_look_after(task, now, waited);
    if (GET(task->page->broken) == 0) {
      return slice;
    }
  }
  release(task);
  return 0;
}

void gw_lost_on_device(struct gw_task *task) {
  int broken = GET(task->on_device) && !task->released ? gw_page_check(task->page) : GW_OK;
  if (broken != GW_OK) {
    gw_page_distrust(task->page, broken);
    release(task);
  }
}
