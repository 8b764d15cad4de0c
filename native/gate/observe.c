/* Reads the tasks on a page, for observers. */
#include <string.h>

#include "liveness.h"
#include "lock.h"
#include "warn.h"

#ifndef GIVEWAY_VERSION
#error "the build says which version this is"
#endif

/* Reads the value of an attribute; another process may be writing the text. */
static void read_word(const char *text, const char *key, char *value, size_t size) {
  for (size_t i = 0, n = strnlen(text, GW_ATTRIBUTES_SIZE), k = strlen(key); i + k < n; i++) {
    if ((i == 0 || text[i - 1] == ' ') && strncmp(text + i, key, k) == 0) {
      size_t length = 0;
      while (i + k + length < n && text[i + k + length] != ' ' && length + 1 < size) {
        value[length] = text[i + k + length];
        length++;
      }
      return;
    }
  }
}

static enum gw_gate_kind gate_kind(const gw_page *page, const struct gw_row *row) {
  uint32_t flags = GW_READ(row->flags);
  uint64_t operators = GW_READ(row->operators);
  if (strcmp(page->device, "cpu") != 0) {
    return GW_STOPS_DEVICE;
  }
  if ((flags & GW_ROW_LAUNCHES_ONLY) != 0) {
    return GW_STOPS_LAUNCHES;
  }
  if ((flags & GW_ROW_WHOLE) != 0) {
    return GW_STOPS_PROCESS;
  }
  return operators != 0 && operators == GW_READ(row->launches) ? GW_STOPS_OPERATORS
                                                               : GW_STOPS_REGIONS;
}

/* The error of a request that has been answered: the row then asks for the state that it has. */
static uint32_t park_error(const struct gw_row *row) {
  bool wanted = (GW_READ(row->park_request) & 1) != 0;
  uint32_t resting = wanted ? GW_PARKED : GW_NOT_PARKED;
  return GW_READ(row->parked) == resting ? GW_READ(row->park_error) : GW_PARK_OK;
}

static void describe(const gw_page *page, uint32_t index, struct gw_task_info *info) {
  const struct gw_row *row = &page->map->rows[index];
  memset(info, 0, sizeof *info);
  info->ticket = GW_READ(row->ticket);
  info->row = index;
  info->pid = GW_READ(row->pid);
  info->pid_namespace = GW_READ(row->pid_namespace);
  info->priority = GW_READ(row->priority);
  info->active = GW_READ(row->state) == GW_ACTIVE;
  info->gate_closed = GW_READ(row->gate) == GW_CLOSED;
  info->is_thread = gw_has_flag(row, GW_ROW_THREAD);
  info->mine = gw_row_is_ours(page, row);
  info->waiters = GW_READ(row->waiters);
  info->gate_kind = gate_kind(page, row);
  info->width = GW_READ(row->width);
  info->launches = GW_READ(row->launches);
  info->operators = GW_READ(row->operators);
  info->held = GW_READ(row->held);
  info->held_ns = GW_READ(row->held_ns);
  info->preemptions = GW_READ(row->preemptions);
  info->joined_ns = GW_READ(row->joined_ns);
  info->stopped_ns =
      GW_READ(row->stopped_ns); /* before closed_ns, so that it is never of a later closing */
  info->closed_ns = GW_READ(row->closed_ns);
  info->memory = GW_READ(row->memory);
  info->memory_peak = GW_READ(row->memory_peak);
  info->memory_limit = GW_READ(row->memory_limit);
  info->memory_reserve = GW_READ(row->memory_reserve);
  info->counts_memory = strcmp(page->device, "cpu") != 0;
  info->slack_verdict = GW_READ(row->slack_verdict);
  info->slack_tolerance = GW_READ(row->slack_tolerance);
  info->slack_speed = GW_READ(row->slack_speed);
  info->slack_credit_ns = GW_READ(row->slack_credit_ns);
  info->beside_ns = GW_READ(row->beside_ns);
  info->contended_ns = GW_READ(row->contended_ns);
  info->can_park = (GW_READ(row->flags) & GW_ROW_CAN_PARK) != 0;
  info->parkable = (GW_READ(row->flags) & GW_ROW_PARKABLE) != 0;
  info->parked = GW_READ(row->parked);
  info->park_error = park_error(row);
  info->park_number = GW_READ(row->park_number);
  info->park_room = GW_READ(row->park_room);
  memcpy(info->name, row->name, sizeof info->name);
  info->name[sizeof info->name - 1] = '\0';
  memcpy(info->device, page->device, sizeof info->device);
  read_word(page->map->attributes[index].text, "job=", info->job, sizeof info->job);
}

int gw_tasks(gw_page *page, struct gw_task_info *infos, int capacity) {
  int r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    return r;
  }
  gw_reap_dead(page);
  int n = 0;
  for (uint32_t i = 0; i < gw_rows_used(page) && n < capacity; i++) {
    if (GW_READ(page->map->rows[i].state) != GW_FREE) {
      describe(page, i, &infos[n++]);
    }
  }
  gw_page_unlock(page);
  return n;
}

int gw_task_at(gw_page *page, uint32_t row, uint64_t ticket, struct gw_task_info *info) {
  if (row >= GW_ROWS || GW_READ(page->map->rows[row].ticket) != ticket) {
    return gw_fail(GW_E_NO_TASK, 0);
  }
  describe(page, row, info);
  return GW_OK;
}

int gw_task_describe(gw_task *task, struct gw_task_info *info) {
  if (task == NULL || gw_task_lost(task) || GW_READ(task->left)) {
    return gw_fail(GW_E_NO_TASK, 0);
  }
  describe(task->page, (uint32_t)(gw_row_of(task) - task->page->map->rows), info);
  return GW_OK;
}

const char *gw_version(void) { return GIVEWAY_VERSION; }
