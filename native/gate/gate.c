/* The rule of the gates. Everything here holds the page's lock. */
#include "internal.h"

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* Strict priority: a gate is closed where a task with work has a higher priority. */
void gw_gates_update(struct gw_page *page, uint64_t now) {
  struct gw_row *rows = page->map->rows;
  uint32_t used = gw_rows_used(page);
  int32_t top = INT32_MIN, top_joined = INT32_MIN;
  for (uint32_t i = 0; i < used; i++) {
    uint32_t state = GET(rows[i].state);
    int32_t priority = gw_row_priority(&rows[i]);
    if (state == GW_ACTIVE && priority > top) {
      top = priority;
    }
    if (state != GW_FREE && priority > top_joined) {
      top_joined = priority;
    }
  }
  for (uint32_t i = 0; i < used; i++) {
    struct gw_row *row = &rows[i];
    uint32_t state = GET(row->state);
    if (state == GW_FREE) {
      continue;
    }
    int32_t priority = gw_row_priority(row);
    uint32_t outranked = priority < top_joined;
    if (outranked != GET(row->outranked)) {
      PUT(row->outranked, outranked); /* a needless write would cost its launches a cache miss */
    }
    uint32_t gate = priority < top && now >= GET(row->quantum_end_ns) ? GW_CLOSED : GW_OPEN;
    if (gate == GET(row->gate)) {
      continue;
    }
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
  atomic_fetch_add(&page->map->header.events, 1);
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
