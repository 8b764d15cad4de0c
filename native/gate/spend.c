#include "spend.h"

#include <stdlib.h>
#include <string.h>

#include "lock.h"
#include "rule.h"
#include "task.h"

#define REST_NS (GW_MS / 5) /* between two regions of work that goes on lies less */

static double read_percent(const char *text) { /* strtod would follow the program's locale */
  char *end;
  double value = (double)strtol(text, &end, 10), digit = 0.1;
  if (*end == '.') {
    for (end++; *end >= '0' && *end <= '9'; end++, digit /= 10) {
      value += digit * (*end - '0');
    }
  }
  return value;
}

/* The attribute slowdown, as 10%. Another process may be writing the text: then this reads it once
 * more when the count of changes has moved on. */
static double read_tolerance(const char *text) {
  static const char key[] = "slowdown=";
  char copy[GW_ATTRIBUTES_SIZE + 1];
  memcpy(copy, text, GW_ATTRIBUTES_SIZE);
  copy[GW_ATTRIBUTES_SIZE] = '\0';
  for (const char *at = copy; (at = strstr(at, key)) != NULL; at++) {
    if (at == copy || at[-1] == ' ') {
      double percent = read_percent(at + strlen(key));
      return percent > 0 && percent <= 100 ? percent / 100 : 0;
    }
  }
  return 0;
}

static void update_tolerance(struct gw_task *task) {
  const struct gw_attributes *own =
      &task->page->map->attributes[gw_row_of(task) - task->page->map->rows];
  uint64_t changes = GW_READ(own->changes) + 1; /* 0: not read yet */
  if (changes != task->seen_attributes) {
    task->seen_attributes = changes;
    double tolerance = read_tolerance(own->text);
    if (tolerance != task->slack.tolerance) {
      gw_slack_init(&task->slack, tolerance);
      task->spent_activation = 0;
    }
  }
}

static void set_shares(struct gw_task *task, bool shares, uint64_t now) {
  bool has = gw_has_flag(gw_row_of(task), GW_ROW_SHARES);
  if (has == shares || gw_page_lock(task->page) != GW_OK) {
    return;
  }
  if (!gw_task_lost(task)) {
    atomic_fetch_xor(&gw_row_of(task)->flags, (uint32_t)GW_ROW_SHARES);
    gw_gates_update(task->page, now);
  }
  gw_page_unlock(task->page);
}

/* Whether a task has work that this one may hold: time together with no task costs nothing, and
 * shows nothing. */
static bool others_work(const struct gw_task *task) {
  const struct gw_row *rows = task->page->map->rows;
  for (uint32_t i = 0; i < gw_rows_used(task->page); i++) {
    if (&rows[i] != gw_row_of(task) && GW_READ(rows[i].state) == GW_ACTIVE &&
        gw_row_priority(&rows[i]) < gw_row_priority(gw_row_of(task))) {
      return true;
    }
  }
  return false;
}

/* Whether the task has nothing to do, and is active only until linger is over: a block that ends in
 * such a time shows nothing. */
static bool is_resting(struct gw_task *task, uint64_t now) {
  if (atomic_load(&task->in_flight) != 0) {
    return false;
  }
  if (task->options.busy != NULL) {
    return gw_task_is_busy(task) == 0;
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
  uint64_t launches = atomic_load(&gw_row_of(task)->launches);
  /* Never 0, and counted from one on. */
  uint64_t activation = GW_READ(gw_row_of(task)->activations) + UINT64_C(1);
  bool spending = task->spent_activation == activation;
  if (spending && now < slack->until_ns) {
    return slack->until_ns;
  }
  bool others = others_work(task) && !is_resting(task, now);
  uint64_t next = spending ? gw_slack_step(slack, now, launches, others)
                           : gw_slack_begin(slack, now, launches, others);
  task->spent_activation = activation;
  set_shares(task, slack->together, now);
  return next;
}

/* The gates are set for the next episode, so that its first launch need not change them. */
void gw_spend_end(struct gw_task *task, uint64_t now) {
  if (task->spent_activation == 0) {
    return;
  }
  task->spent_activation = 0;
  gw_slack_end(&task->slack, now);
  gw_slack_begin(&task->slack, now, atomic_load(&gw_row_of(task)->launches), true);
  set_shares(task, task->slack.together, now);
}
