#include "rule.h"

#include "clock.h"
#include "cores.h"
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

/* Whether the tasks of this page make the task wait: the daemon wants its gate closed or, without a
 * daemon, a task with work has a higher priority. */
static bool outdone(const struct rule *rule, const struct gw_row *row) {
  return rule->by_daemon ? GW_READ(row->decided) != GW_OPEN : gw_row_priority(row) < rule->top;
}

/* Whether the task runs although it would have to wait, because it has waited for too long. */
static bool has_turn(const struct rule *rule, const struct gw_row *row, uint64_t now) {
  return GW_READ(row->state) == GW_ACTIVE && now < GW_READ(row->quantum_end_ns) &&
         (outdone(rule, row) || gw_has_flag(row, GW_ROW_JOB_HELD)) &&
         !(rule->by_daemon && GW_READ(row->decided) == GW_PAUSED);
}

/* A task that waits for its job makes no task wait, nor does one that spends its slack. */
static bool stands_aside(const struct gw_row *row, uint64_t now) {
  return (gw_has_flag(row, GW_ROW_JOB_HELD) && now >= GW_READ(row->quantum_end_ns)) ||
         gw_has_flag(row, GW_ROW_SHARES);
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
    if (state == GW_ACTIVE && !stands_aside(&rows[i], now) && priority > rule.top) {
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

/* Whether the row's threads can be kept to some cores: those of regions can. */
static bool can_be_narrow(const struct gw_row *row) {
  return (GW_READ(row->flags) & (GW_ROW_LAUNCHES_ONLY | GW_ROW_WHOLE)) == 0 &&
         GW_READ(row->operators) == 0;
}

/* Whether the row waits for this task. */
static bool is_ahead(const struct rule *rule, const struct gw_row *other, const struct gw_row *row,
                     bool yields, uint64_t now) {
  return other != row && GW_READ(other->state) == GW_ACTIVE && !stands_aside(other, now) &&
         ((yields && has_turn(rule, other, now)) || gw_row_priority(other) > gw_row_priority(row));
}

/* The cores that are left to a row which would have to wait if it competed for all of them. */
static void read_room(const struct gw_page *page, const struct rule *rule, const struct gw_row *row,
                      uint64_t now, struct gw_room *room) {
  bool yields = rule->turn && gw_has_flag(row, GW_ROW_YIELDS);
  gw_room_of(row, room);
  for (uint32_t i = 0; i < gw_rows_used(page) && !room->whole_device; i++) {
    if (is_ahead(rule, &page->map->rows[i], row, yields, now)) {
      gw_room_take(room, &page->map->rows[i]);
    }
  }
}

/* The gate as the tasks of this page want it. */
static uint32_t ruled(const struct gw_page *page, const struct rule *rule, const struct gw_row *row,
                      uint64_t now) {
  bool yields = rule->turn && gw_has_flag(row, GW_ROW_YIELDS);
  bool waits = yields || (outdone(rule, row) && !has_turn(rule, row, now));
  if (!waits || now < GW_READ(row->grace_end_ns)) {
    return GW_OPEN;
  }
  if (rule->by_daemon || GW_READ(row->width) == 0) {
    return GW_CLOSED; /* a daemon's policy decides about the device as a whole */
  }
  struct gw_room room;
  read_room(page, rule, row, now, &room);
  uint32_t gate = gw_room_gate(&room, row);
  return gate == GW_NARROW && !can_be_narrow(row) ? GW_CLOSED : gate;
}

static uint32_t wanted(const struct rule *rule, const struct gw_row *row, uint32_t gate,
                       uint64_t now) {
  bool job = gw_has_flag(row, GW_ROW_JOB_HELD) && !has_turn(rule, row, now) &&
             now >= GW_READ(row->grace_end_ns);
  return job ? GW_CLOSED : gate;
}

/* Always wakes the threads that sleep on the gate: launches on a closed one; on an open one, a
 * watcher that can stop running work. A count of them on the page could not be relied on. */
static void change_gate(struct gw_row *row, uint32_t gate) {
  atomic_store(&row->gate, gate);
  gw_futex_wake(&row->gate, true);
}

static bool is_parked(const struct gw_row *row) {
  return gw_has_flag(row, GW_ROW_CAN_PARK) && GW_READ(row->parked) != GW_NOT_PARKED;
}

/* Only a word that some transition has written: a process that does not trust its page has opened
 * the gate for good. */
static void set_stream_gate(struct gw_row *row, bool closed) {
  uint64_t ticket = GW_READ(row->ticket);
  uint32_t word = GW_READ(row->stream_gate);
  if (word == (closed ? GW_STREAM_OPEN(ticket) : GW_STREAM_CLOSED(ticket))) {
    GW_WRITE(row->stream_gate, closed ? GW_STREAM_CLOSED(ticket) : GW_STREAM_OPEN(ticket));
  }
}

static void set_gate(struct gw_row *row, uint32_t gate, uint64_t now) {
  uint32_t state = GW_READ(row->state);
  if (gate == GW_OPEN && state == GW_ACTIVE && gw_has_flag(row, GW_ROW_STREAM)) {
    uint64_t closed = GW_READ(row->closed_ns);
    GW_WRITE(row->held_ns, GW_READ(row->held_ns) + (now > closed ? now - closed : 0));
  }
  if (gate == GW_CLOSED) {
    GW_WRITE(row->closed_ns, now);
    if (state == GW_ACTIVE) {
      GW_WRITE(row->preemptions, GW_READ(row->preemptions) + 1);
    }
  }
  change_gate(row, gate);
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
      gw_flag_set(row, GW_ROW_YIELDS, false);
    }
    gw_flag_set(row, GW_ROW_MATTERS, matters(&rule, row));
    uint32_t gate = ruled(page, &rule, row, now);
    bool ranked = outranked(&rule, row), held = gate == GW_CLOSED;
    bool changed = gw_flag_set(row, GW_ROW_RANKED, ranked);
    changed = gw_flag_set(row, GW_ROW_HELD, held) || changed;
    if (changed && gw_has_flag(row, GW_ROW_MEMBER)) {
      gw_futex_wake(&row->flags, true);
    }
    ranked = ranked || gw_has_flag(row, GW_ROW_JOB_RANKED);
    if (ranked != GW_READ(row->outranked)) {
      GW_WRITE(row->outranked, ranked); /* only then: a write costs the next launch a cache miss */
    }
    bool parked = is_parked(row);
    gate = parked ? GW_CLOSED : wanted(&rule, row, gate, now);
    bool changes = gate != GW_READ(row->gate);
    if (changes || gate == GW_CLOSED) { /* else the row's launches keep their cache line */
      set_stream_gate(row, gate == GW_CLOSED && !parked);
    }
    if (changes) {
      set_gate(row, gate, now);
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
    bool patient = gw_has_flag(row, GW_ROW_PATIENT);
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
  GW_WRITE(row->holder, 0);
  GW_WRITE(row->lent, 0);
  change_gate(row, GW_OPEN); /* in case the task is alive: it has lost its row */
}

int gw_narrowed(const gw_task *task, uint64_t *cores) {
  if (task == NULL || GW_READ(gw_row_of(task)->gate) != GW_NARROW ||
      GW_READ(task->page->broken) != 0) {
    return 0;
  }
  uint64_t now = gw_now();
  struct rule rule = read_rule(task->page, now);
  struct gw_room room;
  read_room(task->page, &rule, gw_row_of(task), now, &room);
  uint64_t any = 0;
  for (int i = 0; i < GW_CORE_WORDS; i++) {
    cores[i] = room.cores[i];
    any |= room.cores[i];
  }
  return any != 0 && !room.whole_device; /* else the gate is about to change */
}
