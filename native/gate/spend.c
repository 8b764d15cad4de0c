#include "spend.h"

#include <string.h>

#include "lock.h"
#include "number.h"
#include "rule.h"
#include "task.h"

#define REST_NS (GW_MS / 5) /* between two regions of work that goes on lies less */
/* Work of others that goes on after their gates have closed. On a GPU: a window of launches, which
 * may have its time slice after one of this task where the GPU serves programs in turn. */
#define DEVICE_DRAIN_NS (GW_MS / 2)
#define DEVICE_SLICE_NS (2 * GW_MS)
#define HOST_DRAIN_NS (GW_MS / 5)

/* The attribute slowdown, as 10%. Another process may be writing the text: then this reads it once
 * more when the count of changes has moved on. */
static double read_tolerance(const char *text) {
  static const char key[] = "slowdown=";
  char copy[GW_ATTRIBUTES_SIZE + 1];
  memcpy(copy, text, GW_ATTRIBUTES_SIZE);
  copy[GW_ATTRIBUTES_SIZE] = '\0';
  for (const char *at = copy; (at = strstr(at, key)) != NULL; at++) {
    if (at == copy || at[-1] == ' ') {
      const char *end;
      double percent = gw_decimal(at + strlen(key), &end);
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
      bool device = task->options.busy != NULL;
      uint64_t drain = device ? DEVICE_DRAIN_NS : HOST_DRAIN_NS;
      bool in_turn = device && !task->options.side_by_side;
      gw_slack_init(&task->slack, tolerance, drain, drain + (in_turn ? DEVICE_SLICE_NS : 0));
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

/* Whether the task has nothing to do, and is active only until linger is over: a block that ends in
 * such a time shows nothing. A program that is bound by the host leaves its device free between two
 * kernels, and works. */
static bool is_resting(struct gw_task *task, uint64_t now) {
  if (atomic_load(&task->in_flight) != 0) {
    return false;
  }
  bool device = task->options.busy != NULL;
  if (device && (gw_launches_of(task) != atomic_load(&task->seen_launches) || /* since the look */
                 gw_task_is_busy(task) != 0)) {
    return false;
  }
  uint64_t last = atomic_load(&task->last_ns);
  return now > last && now - last > REST_NS;
}

/* For how long in all the program has had nothing to do: between waits and the next launch. */
static uint64_t rested(const struct gw_task *task, uint64_t now) {
  uint64_t since = atomic_load(&task->rest_ns);
  bool rests =
      since != 0 && since < now && gw_launches_of(task) == atomic_load(&task->free_launches);
  return atomic_load(&task->rested_ns) + (rests ? now - since : 0);
}

struct scene {
  enum gw_slack_scene scene;
  uint64_t beside; /* a hash of the tickets of less urgent tasks with work */
};

static struct scene look(struct gw_task *task, uint64_t now) {
  const struct gw_row *rows = task->page->map->rows, *own = gw_row_of(task);
  struct scene seen = {GW_ALONE, 0};
  if (is_resting(task, now) || GW_READ(own->gate) == GW_CLOSED) {
    return (struct scene){GW_RESTS, 0};
  }
  for (uint32_t i = 0; i < gw_rows_used(task->page); i++) {
    if (&rows[i] != own && GW_READ(rows[i].state) == GW_ACTIVE &&
        gw_row_priority(&rows[i]) < gw_row_priority(own)) {
      bool runs = seen.scene == GW_TOGETHER || GW_READ(rows[i].gate) == GW_OPEN;
      seen.scene = runs ? GW_TOGETHER : GW_APART;
      seen.beside += GW_READ(rows[i].ticket) * UINT64_C(0x9e3779b97f4a7c15);
    }
  }
  return seen;
}

/* What observers see. The time since the last call counts as what was seen then. */
static void publish(struct gw_task *task, enum gw_slack_scene before, uint64_t ns) {
  struct gw_row *row = gw_row_of(task);
  const struct gw_slack *slack = &task->slack;
  if (before >= GW_APART) {
    GW_ADD(row->contended_ns, ns);
    GW_ADD(row->beside_ns, before == GW_TOGETHER ? ns : 0);
  }
  enum gw_slack_verdict verdict = gw_slack_verdict(slack);
  bool known = verdict == GW_SLACK_CHEAP || verdict == GW_SLACK_DEAR;
  GW_WRITE(row->slack_tolerance, (uint32_t)(slack->tolerance * 1e6 + 0.5));
  GW_WRITE(row->slack_speed, known ? (uint32_t)(gw_slack_speed(slack) * 1e6) + 1 : 0);
  GW_WRITE(row->slack_credit_ns, (int64_t)gw_slack_credit(slack));
  GW_WRITE(row->slack_verdict, verdict);
}

/* Until the block that the task wants is under way: gates open and close at once, unless a daemon
 * has a say. */
static uint64_t step(struct gw_task *task, uint64_t now, uint64_t launches) {
  uint64_t next = now;
  for (int tries = 0; tries < 3 && next <= now; tries++) {
    struct scene seen = look(task, now);
    gw_slack_rested(&task->slack, rested(task, now));
    next = gw_slack_step(&task->slack, now, launches, seen.scene, seen.beside);
    set_shares(task, task->slack.together, now);
  }
  return next;
}

uint64_t gw_spend(struct gw_task *task, uint64_t now) {
  update_tolerance(task);
  struct gw_slack *slack = &task->slack;
  if (slack->tolerance <= 0) {
    set_shares(task, false, now);
    if (GW_READ(gw_row_of(task)->slack_verdict) != GW_SLACK_NONE) {
      publish(task, GW_RESTS, 0);
    }
    return UINT64_MAX;
  }
  uint64_t launches = atomic_load(&gw_row_of(task)->launches);
  /* Never 0, and counted from one on. */
  uint64_t activation = GW_READ(gw_row_of(task)->activations) + UINT64_C(1);
  bool spending = task->spent_activation == activation;
  enum gw_slack_scene before = slack->scene;
  uint64_t since = slack->charged_ns;
  if (!spending) {
    struct scene seen = look(task, now);
    gw_slack_begin(slack, now, seen.scene, seen.beside);
    set_shares(task, slack->together, now);
    task->spent_activation = activation;
  }
  uint64_t next = step(task, now, launches);
  if (slack->charged_ns != since || !spending) {
    publish(task, before, spending ? slack->charged_ns - since : 0);
  }
  return next;
}

/* The gates are set for the next episode, so that its first launch need not change them. */
void gw_spend_end(struct gw_task *task, uint64_t now) {
  if (task->spent_activation == 0) {
    return;
  }
  struct gw_slack *slack = &task->slack;
  task->spent_activation = 0;
  gw_slack_end(slack, now);
  publish(task, slack->scene, 0);
  gw_slack_begin(slack, now, GW_APART, slack->beside);
  set_shares(task, slack->together, now);
}
