/* The gate that a device waits for: work that was submitted and has not begun stops there. */
#include "stream_gate.h"

#include "clock.h"
#include "task.h"
#include "wait.h"
#include "warn.h"

#define LATELY_NS (1000 * GW_MS)

static int preempted_lately(struct gw_task *task, const struct gw_row *row) {
  uint64_t preemptions = GW_READ(row->preemptions), now = gw_now();
  if (atomic_exchange(&task->seen_preemptions, preemptions) != preemptions) {
    atomic_store(&task->preempted_until_ns, now + LATELY_NS);
  }
  return now < GW_READ(task->preempted_until_ns);
}

/* Not in a process with several tasks: their streams may share a queue of the device, where a held
 * task would hold another task of the process. */
int gw_stream_gate(gw_task *task, struct gw_stream_gate *gate) {
  struct gw_seat seat = gw_seat_of(task);
  struct gw_row *row = seat.row;
  if (task->options.is_thread || GW_READ(gw_process.thread_count) != 0 ||
      seat.ticket >= GW_STREAM_TICKETS || GW_READ(task->page->broken) != 0 || GW_READ(task->left) ||
      GW_READ(gw_process.exiting) || gw_seat_lost(seat)) {
    return 0;
  }
  if (!GW_READ(task->on_device) || !gw_has_flag(row, GW_ROW_STREAM)) {
    atomic_fetch_or(&row->flags, GW_ROW_STREAM);
    atomic_store(&task->on_device, true);
  }
  /* In this order: transitions write closed_ns before they close the gate. */
  bool closed = atomic_load(&row->gate) == GW_CLOSED;
  *gate = (struct gw_stream_gate){.page = task->page->map,
                                  .page_size = sizeof *task->page->map,
                                  .word = &row->stream_gate,
                                  .open = GW_STREAM_OPEN(seat.ticket),
                                  .preempted_lately = preempted_lately(task, row),
                                  .closing = closed ? GW_READ(row->closed_ns) : 0};
  return 1;
}

/* On a page that cannot be trusted no transition opens the gates. The device may know other memory
 * by the page's address than this process does by now, so the hook opens that word as well. */
static void release(struct gw_task *task) {
  task->released = true;
  atomic_store(&gw_row_of(task)->stream_gate, UINT32_MAX);
  struct gw_task_options hook = task->options;
  if (hook.release != NULL) {
    gw_task_pin(task);
    hook.release(hook.context);
    gw_task_unpin(task);
  }
}

uint64_t gw_check_stream_hold(struct gw_task *task, uint64_t now) {
  if (!GW_READ(task->on_device) || task->released) {
    return 0;
  }
  if (GW_READ(task->page->broken) == 0) {
    struct gw_seat seat = gw_seat_of(task);
    if (atomic_load(&seat.row->gate) == GW_OPEN) {
      return 0;
    }
    uint64_t closed = GW_READ(seat.row->closed_ns);
    bool waited = task->preempted_ns == closed;
    task->preempted_ns = closed;
    uint64_t slice = gw_check_hold(task, seat, now, waited);
    if (GW_READ(task->page->broken) == 0) {
      return slice;
    }
  }
  release(task);
  return 0;
}

void gw_release_lost(struct gw_task *task) {
  int broken = GW_READ(task->on_device) && !task->released ? gw_page_check(task->page) : GW_OK;
  if (broken != GW_OK) {
    gw_page_distrust(task->page, broken);
    release(task);
  }
}
