/* The rule of the gates. Everything here holds the page's lock. */
#include "internal.h"

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

struct rule {
  bool by_daemon;
  uint32_t joined;
  int32_t top, top_joined; /* the highest priority of a task with work, and of any */
  int32_t bottom;          /* the lowest of any */
  bool turn;               /* somebody has one, see has_turn */
};

/* Whether others may make it wait some time. */
static uint32_t outranked(const struct rule *rule, const struct gw_row *row) {
  return rule->by_daemon ? rule->joined > 1 : gw_row_priority(row) < rule->top_joined;
}

/* Whether others may wait for it. */
static bool matters(const struct rule *rule, const struct gw_row *row) {
  return rule->by_daemon || gw_row_priority(row) > rule->bottom;
}

/* Strict priority, unless a daemon decides: a gate is closed where a task with work has a higher
 * priority. */
static bool outdone(const struct rule *rule, const struct gw_row *row) {
  return rule->by_daemon ? GET(row->decided) != GW_OPEN : gw_row_priority(row) < rule->top;
}

/* Whether it runs although it would have to wait: it has waited for too long. */
static bool has_turn(const struct rule *rule, const struct gw_row *row, uint64_t now) {
  return GET(row->state) == GW_ACTIVE && now < GET(row->quantum_end_ns) && outdone(rule, row) &&
         !(rule->by_daemon && GET(row->decided) == GW_PAUSED);
}

static struct rule look(const struct gw_page *page, uint64_t now) {
  const struct gw_row *rows = page->map->rows;
  struct rule rule = {.top = INT32_MIN, .top_joined = INT32_MIN, .bottom = INT32_MAX};
  rule.by_daemon = gw_daemon_decides(page, now);
  bool quanta = false;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    uint32_t state = GET(rows[i].state);
    int32_t priority = gw_row_priority(&rows[i]);
    rule.joined += state != GW_FREE;
    if (state == GW_ACTIVE && priority > rule.top) {
      rule.top = priority;
    }
    if (state != GW_FREE && priority > rule.top_joined) {
      rule.top_joined = priority;
    }
    if (state != GW_FREE && priority < rule.bottom) {
      rule.bottom = priority;
    }
    quanta = quanta || now < GET(rows[i].quantum_end_ns);
  }
  for (uint32_t i = 0; quanta && !rule.turn && i < gw_rows_used(page); i++) {
    rule.turn = has_turn(&rule, &rows[i], now);
  }
  return rule;
}

static uint32_t wanted(const struct rule *rule, const struct gw_row *row, uint64_t now) {
  bool yields = rule->turn && (GET(row->flags) & GW_ROW_YIELDS) != 0;
  return yields || (outdone(rule, row) && !has_turn(rule, row, now)) ? GW_CLOSED : GW_OPEN;
}

static void set_gate(struct gw_row *row, uint32_t gate, uint64_t now) {
  uint32_t state = GET(row->state);
  uint64_t ticket = GET(row->ticket);
  PUT(row->stream_gate, gate == GW_CLOSED ? GW_STREAM_CLOSED(ticket) : GW_STREAM_OPEN(ticket));
  if (gate == GW_OPEN && state == GW_ACTIVE && (GET(row->flags) & GW_ROW_STREAM) != 0) {
    uint64_t closed = GET(row->closed_ns);
    PUT(row->held_ns, GET(row->held_ns) + (now > closed ? now - closed : 0));
  }
  if (gate == GW_CLOSED) {
    PUT(row->closed_ns, now);
    if (state == GW_ACTIVE) {
      PUT(row->preemptions, GET(row->preemptions) + 1);
    }
  }
  /* Sequentially consistent with whoever sleeps on it: counts itself, then looks at the gate. An
   * open gate has a sleeper too where a watcher can stop what already runs. */
  atomic_store(&row->gate, gate);
  if (atomic_load(&row->waiters) != 0) {
    gw_futex_wake(&row->gate, true);
  }
}

void gw_gates_apply(struct gw_page *page, uint64_t now) {
  struct gw_row *rows = page->map->rows;
  struct rule rule = look(page, now);
  PUT(page->map->header.by_daemon, rule.by_daemon);
  PUT(page->map->header.joined, rule.joined);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &rows[i];
    if (GET(row->state) == GW_FREE) {
      continue;
    }
    if (!rule.turn && (GET(row->flags) & GW_ROW_YIELDS) != 0) {
      atomic_fetch_and(&row->flags, ~(uint32_t)GW_ROW_YIELDS);
    }
    if (matters(&rule, row) != ((GET(row->flags) & GW_ROW_MATTERS) != 0)) {
      atomic_fetch_xor(&row->flags, (uint32_t)GW_ROW_MATTERS);
    }
    uint32_t ranked = outranked(&rule, row);
    if (ranked != GET(row->outranked)) {
      PUT(row->outranked, ranked); /* a needless write would cost its launches a cache miss */
    }
    uint32_t gate = wanted(&rule, row, now);
    if (gate != GET(row->gate)) {
      set_gate(row, gate, now);
    }
  }
}

/* A turn is for the first, and for those who have waited for half as long already: however many
 * they are, the others lose no more than two quanta of every max_wait. Who runs yields meanwhile:
 * beside a program that never pauses it would be half a turn. Who comes later made nobody wait. */
void gw_gates_turn(struct gw_page *page, struct gw_row *first, uint64_t now) {
  const struct gw_settings *settings = gw_settings();
  struct gw_row *rows = page->map->rows;
  struct rule rule = look(page, now);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &rows[i];
    if (GET(row->state) != GW_ACTIVE) {
      continue;
    }
    bool waits = GET(row->gate) == GW_CLOSED;
    uint64_t closed = GET(row->closed_ns);
    bool patient = (GET(row->flags) & GW_ROW_PATIENT) != 0;
    if (row == first ||
        (waits && !patient && now > closed && now - closed >= settings->max_wait_ns / 2)) {
      PUT(row->quantum_end_ns, now + settings->quantum_ns);
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
  PUT(row->state, GW_FREE);
  if (GET(row->ticket) != 0) {
    PUT(row->stream_gate, GW_STREAM_OPEN(GET(row->ticket))); /* what is queued goes on */
  }
  PUT(row->ticket, 0);
  PUT(row->owner, 0);
  PUT(row->waiters, 0);
  PUT(row->lent, 0);
  atomic_store(&row->gate, GW_OPEN);
}

int gw_reap_dead(struct gw_page *page) {
  int reaped = 0;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (GET(row->state) != GW_FREE && !gw_row_alive(page, i)) {
      gw_row_free(row);
      reaped++;
    }
  }
  gw_gates_update(page, gw_now());
  return reaped;
}

int gw_set_priority(gw_page *page, uint64_t ticket, int priority) {
  if (priority < GW_PRIORITY_MIN || priority > GW_PRIORITY_MAX) {
    return gw_fail(GW_E_ARGUMENT, 0);
  }
  int r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    return r;
  }
  r = gw_fail(GW_E_NO_TASK, 0);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    struct gw_row *row = &page->map->rows[i];
    if (GET(row->state) != GW_FREE && GET(row->ticket) == ticket) {
      PUT(row->priority, priority);
      gw_gates_update(page, gw_now());
      r = GW_OK;
      break;
    }
  }
  gw_page_unlock(page);
  return r;
}
