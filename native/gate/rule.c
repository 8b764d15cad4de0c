#include "rule.h"

#include "futex.h"
#include "settings.h"

#define STALE_NS (250 * GW_MS) /* a heartbeat, sent every 100 ms, counts for so long */

bool gw_daemon_decides(const struct gw_page *page, uint64_t now) {
  const struct gw_header *header = &page->map->header;
  int64_t age = (int64_t)(now - GW_READ(header->beat_ns)); /* below 0: a heartbeat after `now` */
  return GW_READ(header->decider) != 0 && age < STALE_NS && age > -STALE_NS;
}

struct rule {
  bool by_daemon;
  uint32_t joined;
  int32_t top, top_joined; /* the highest priority of a task with work, and of any task */
  int32_t bottom;          /* the lowest priority of any task */
  bool turn;               /* a task has a turn, see has_turn */
};

/* Whether another task may hold this one, now or later. */
static bool outranked(const struct rule *rule, const struct gw_row *row) {
  return rule->by_daemon ? rule->joined > 1 : gw_row_priority(row) < rule->top_joined;
}

/* Whether other tasks may wait for this one. */
static bool matters(const struct rule *rule, const struct gw_row *row) {
  return rule->by_daemon || gw_row_priority(row) > rule->bottom;
}

static bool has_flag(const struct gw_row *row, uint32_t flag) {
  return (GW_READ(row->flags) & flag) != 0;
}

/* Writes only what differs; returns whether it did. */
static bool set_flag(struct gw_row *row, uint32_t flag, bool on) {
  if (has_flag(row, flag) == on) {
    return false;
  }
  atomic_fetch_xor(&row->flags, flag);
  return true;
}

/* Whether the tasks of this page make the task wait: the daemon wants its gate closed or, without a
 * daemon, a task with work has a higher priority. */
static bool outdone(const struct rule *rule, const struct gw_row *row) {
  return rule->by_daemon ? GW_READ(row->decided) != GW_OPEN : gw_row_priority(row) < rule->top;
}

/* Whether the task runs although it would have to wait, because it has waited for too long. */
static bool has_turn(const struct rule *rule, const struct gw_row *row, uint64_t now) {
  return GW_READ(row->state) == GW_ACTIVE && now < GW_READ(row->quantum_end_ns) &&
         (outdone(rule, row) || has_flag(row, GW_ROW_JOB_HELD)) &&
         !(rule->by_daemon && GW_READ(row->decided) == GW_PAUSED);
}

static struct rule read_rule(const struct gw_page *page, uint64_t now) {
  const struct gw_row *rows = page->map->rows;
  struct rule rule = {.top = INT32_MIN, .top_joined = INT32_MIN, .bottom = INT32_MAX};
  rule.by_daemon = gw_daemon_decides(page, now);
  bool quanta = false;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    uint32_t state = GW_READ(rows[i].state);
    int32_t priority = gw_row_priority(&rows[i]);
    rule.joined += state != GW_FREE;
    /* A task that waits for its job makes no task wait, nor does one with slack. */
    bool waits = has_flag(&rows[i], GW_ROW_JOB_HELD) && now >= GW_READ(rows[i].quantum_end_ns);
    waits = waits || has_flag(&rows[i], GW_ROW_SHARES);
    if (state == GW_ACTIVE && !waits && priority > rule.top) {
      rule.top = priority;
    }
    if (state != GW_FREE && priority > rule.top_joined) {
      rule.top_joined = priority;
    }
    if (state != GW_FREE && priority < rule.bottom) {
      rule.bottom = priority;
    }
    quanta = quanta || now < GW_READ(rows[i].quantum_end_ns);
  }
  for (uint32_t i = 0; quanta && !rule.turn && i < gw_rows_used(page); i++) {
    rule.turn = has_turn(&rule, &rows[i], now);
  }
  return rule;
}

/* The tasks of this page hold the task. */
static bool is_held(const struct rule *rule, const struct gw_row *row, uint64_t now) {
  bool yields = rule->turn && has_flag(row, GW_ROW_YIELDS);
  return yields || (outdone(rule, row) && !has_turn(rule, row, now));
}

static uint32_t wanted(const struct rule *rule, const struct gw_row *row, uint64_t now) {
  bool job = has_flag(row, GW_ROW_JOB_HELD) && !has_turn(rule, row, now);
  return has_flag(row, GW_ROW_HELD) || job ? GW_CLOSED : GW_OPEN;
}

static void set_gate(struct gw_row *row, uint32_t gate, uint64_t now) {
  uint32_t state = GW_READ(row->state);
  uint64_t ticket = GW_READ(row->ticket);
  GW_WRITE(row->stream_gate, gate == GW_CLOSED ? GW_STREAM_CLOSED(ticket) : GW_STREAM_OPEN(ticket));
  if (gate == GW_OPEN && state == GW_ACTIVE && (GW_READ(row->flags) & GW_ROW_STREAM) != 0) {
    uint64_t closed = GW_READ(row->closed_ns);
    GW_WRITE(row->held_ns, GW_READ(row->held_ns) + (now > closed ? now - closed : 0));
  }
  if (gate == GW_CLOSED) {
    GW_WRITE(row->closed_ns, now);
    if (state == GW_ACTIVE) {
      GW_WRITE(row->preemptions, GW_READ(row->preemptions) + 1);
    }
  }
  /* Sequentially consistent with the threads that sleep on the gate: they count themselves, then
   * look at the gate. A watcher that can stop running work sleeps on an open gate as well. */
  atomic_store(&row->gate, gate);
  gw_futex_wake(&row->gate, true);
}

void gw_gates_apply(struct gw_page *page, uint64_t now) {
  struct gw_row *rows = page->map->rows;
  struct rule rule = read_rule(page, now);
  GW_WRITE(page->map->header.by_daemon, rule.by_daemon);
  GW_WRITE(page->map->header.joined, rule.joined);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &rows[i];
    if (GW_READ(row->state) == GW_FREE) {
      continue;
    }
    if (!rule.turn) {
      set_flag(row, GW_ROW_YIELDS, false);
    }
    set_flag(row, GW_ROW_MATTERS, matters(&rule, row));
    bool ranked = outranked(&rule, row), held = is_held(&rule, row, now);
    bool told = set_flag(row, GW_ROW_RANKED, ranked) | set_flag(row, GW_ROW_HELD, held);
    ranked = ranked || has_flag(row, GW_ROW_JOB_RANKED);
    if (ranked != GW_READ(row->outranked)) {
      GW_WRITE(row->outranked, ranked); /* only then: a write costs the next launch a cache miss */
    }
    uint32_t gate = wanted(&rule, row, now);
    if (gate != GW_READ(row->gate)) {
      set_gate(row, gate, now);
    } else if (told) {
      gw_futex_wake(&row->gate, true); /* the task's job asks for these flags */
    }
  }
}

/* A turn is for the first task, and for all tasks that have waited for half of max_wait already.
 * However many these are, the other tasks lose at most two quanta in every max_wait. Running tasks
 * yield during the turn, because beside a program that never pauses a task would get half of it.
 * Tasks that become active later do not yield: they have made no task wait. */
void gw_gates_turn(struct gw_page *page, struct gw_row *first, uint64_t now) {
  const struct gw_settings *settings = gw_settings();
  struct gw_row *rows = page->map->rows;
  struct rule rule = read_rule(page, now);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &rows[i];
    if (GW_READ(row->state) != GW_ACTIVE) {
      continue;
    }
    bool waits = GW_READ(row->gate) == GW_CLOSED;
    uint64_t closed = GW_READ(row->closed_ns);
    bool patient = (GW_READ(row->flags) & GW_ROW_PATIENT) != 0;
    if (row == first ||
        (waits && !patient && now > closed && now - closed >= settings->max_wait_ns / 2)) {
      GW_WRITE(row->quantum_end_ns, now + settings->quantum_ns);
      atomic_fetch_and(&row->flags, ~(uint32_t)GW_ROW_YIELDS);
    } else if (!waits && !has_turn(&rule, row, now)) {
      atomic_fetch_or(&row->flags, GW_ROW_YIELDS);
    }
  }
  gw_gates_update(page, now);
}

void gw_gates_update(struct gw_page *page, uint64_t now) {
  gw_gates_apply(page, now);
  atomic_fetch_add(&page->map->header.events, 1);
  if (atomic_load(&page->map->header.decider) != 0) {
    gw_futex_wake(&page->map->header.events, true);
  }
}

void gw_row_free(struct gw_row *row) {
  GW_WRITE(row->state, GW_FREE);
  if (GW_READ(row->ticket) != 0) {
    GW_WRITE(row->stream_gate, GW_STREAM_OPEN(GW_READ(row->ticket))); /* queued work goes on */
  }
  GW_WRITE(row->ticket, 0);
  GW_WRITE(row->owner, 0);
  GW_WRITE(row->waiters, 0);
  GW_WRITE(row->lent, 0);
  atomic_store(&row->gate, GW_OPEN);
}
