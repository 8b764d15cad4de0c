/* What others see of the tasks on a page. */
#include <string.h>

#include "internal.h"

#ifndef GIVEWAY_VERSION
#error "the build says which version this is"
#endif

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

static void describe(const gw_page *page, uint32_t index, struct gw_task_info *info) {
  const struct gw_row *row = &page->map->rows[index];
  memset(info, 0, sizeof *info);
  info->ticket = GET(row->ticket);
  info->row = index;
  info->pid = GET(row->pid);
  info->priority = GET(row->priority);
  info->active = GET(row->state) == GW_ACTIVE;
  info->gate_closed = GET(row->gate) != GW_OPEN;
  info->is_thread = (GET(row->flags) & GW_ROW_THREAD) != 0;
  info->mine = GET(row->owner) == GET(gw_process.owner);
  info->waiters = GET(row->waiters);
  info->launches = GET(row->launches);
  info->operators = GET(row->operators);
  info->held = GET(row->held);
  info->held_ns = GET(row->held_ns);
  info->preemptions = GET(row->preemptions);
  info->joined_ns = GET(row->joined_ns);
  info->stopped_ns = GET(row->stopped_ns); /* first: of this closing, or of an earlier one */
  info->closed_ns = GET(row->closed_ns);
  memcpy(info->name, row->name, sizeof info->name);
  info->name[sizeof info->name - 1] = '\0';
  memcpy(info->device, page->device, sizeof info->device);
}

int gw_tasks(gw_page *page, struct gw_task_info *infos, int capacity) {
  int r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    return r;
  }
  gw_reap_dead(page);
  int n = 0;
  for (uint32_t i = 0; i < gw_rows_used(page) && n < capacity; i++) {
    if (GET(page->map->rows[i].state) != GW_FREE) {
      describe(page, i, &infos[n++]);
    }
  }
  gw_page_unlock(page);
  return n;
}

int gw_task_at(gw_page *page, uint32_t row, uint64_t ticket, struct gw_task_info *info) {
  if (row >= GW_ROWS || GET(page->map->rows[row].ticket) != ticket) {
    return gw_fail(GW_E_NO_TASK, 0);
  }
  describe(page, row, info);
  return GW_OK;
}

int gw_task_describe(gw_task *task, struct gw_task_info *info) {
  if (task == NULL || gw_task_lost(task) || GET(task->left)) {
    return gw_fail(GW_E_NO_TASK, 0);
  }
  describe(task->page, (uint32_t)(task->row - task->page->map->rows), info);
  return GW_OK;
}

const char *gw_version(void) { return GIVEWAY_VERSION; }
