#include "spend.h"

#include <stdlib.h>
#include <string.h>

#include "lock.h"
#include "rule.h"

#define REST_NS (GW_MS / 5) /* between two regions of work that goes on lies less */

/* The attribute slowdown, as 10%. Another process may be writing the text: then this reads it once
 * more when the count of changes has moved on. */
static double read_tolerance(const char *text) {
  static const char key[] = "slowdown=";
  char copy[GW_ATTRIBUTES_SIZE + 1];
  memcpy(copy, text, GW_ATTRIBUTES_SIZE);
  copy[GW_ATTRIBUTES_SIZE] = '\0';
  for (const char *at = copy; (at = strstr(at, key)) != NULL; at++) {
    if (at == copy || at[-1] == ' ') {
      double percent = strtod(at + strlen(key), NULL);
      return percent > 0 && percent <= 100 ? percent / 100 : 0; /* a NaN is neither */
    }
  }
  return 0;
}

static void update_tolerance(struct gw_task *task) {
  const struct gw_attributes *own = &task->page->map->attributes[task->row - task->page->map->rows];
  uint64_t changes = GW_READ(own->changes) + 1; /* 0: not read yet */
  if (changes != task->seen_attributes) {
    task->seen_attributes = changes;
    double tolerance = read_tolerance(own->text);
    if (tolerance != task->slack.tolerance) {
      gw_slack_init(&task->slack, tolerance);
      task->spending = false;
    }
  }
}

static void set_shares(struct gw_task *task, bool shares, uint64_t now) {
  bool has = (GW_READ(task->row->flags) & GW_ROW_SHARES) != 0;
  if (has == shares || gw_page_lock(task->page) != GW_OK) {
    return;
  }
  if (!gw_task_lost(task)) {
    atomic_fetch_xor(&task->row->flags, (uint32_t)GW_ROW_SHARES);
    gw_gates_update(task->page, now);
  }
  gw_page_unlock(task->page);
}

/* Whether a task has work that this one may hold: time together with no task costs nothing, and
 * shows nothing. */
static bool others_work(const struct gw_task *task) {
  const struct gw_row *rows = task->page->map->rows;
  for (uint32_t i = 0; i < gw_rows_used(task->page); i++) {
    if (&rows[i] != task->row && GW_READ(rows[i].state) == GW_ACTIVE &&
        gw_row_priority(&rows[i]) < gw_row_priority(task->row)) {
      return true;
    }
  }
  return false;
}

/* Whether the task has nothing to do, and is active only until linger is over: a block that ends in
 * such a time shows nothing. */
static bool is_resting(const struct gw_task *task, uint64_t now) {
  if (atomic_load(&task->in_flight) != 0) {
    return false;
  }
  if (task->options.busy != NULL) {
    return task->options.busy(task->options.context) == 0;
  }
  uint64_t last = atomic_load(&task->last_ns);
  return now > last && now - last > REST_NS;
}

uint64_t gw_spend(struct gw_task *task, uint64_t now) {
  update_tolerance(task);
  struct gw_slack *slack = &task->slack;
  if (slack->tolerance <= 0) {
    set_shares(task, false, now);
    return UINT64_MAX;
  }
  uint64_t launches = atomic_load(&task->row->launches);
  if (task->spending && now < slack->until_ns) {
    return slack->until_ns;
  }
  bool others = others_work(task) && !is_resting(task, now);
  uint64_t next = task->spending ? gw_slack_step(slack, now, launches, others)
                                 : gw_slack_begin(slack, now, launches, others);
  task->spending = true;
  set_shares(task, slack->together, now);
  return next;
}

/* The gates are set for the next episode, so that its first launch need not change them. */
void gw_spend_end(struct gw_task *task, uint64_t now) {
  if (!task->spending) {
    return;
  }
  task->spending = false;
  gw_slack_end(&task->slack, now);
  gw_slack_begin(&task->slack, now, atomic_load(&task->row->launches), true);
  set_shares(task, task->slack.together, now);
}
