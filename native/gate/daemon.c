/* For the daemon: the changes on the page, and the gates that the daemon wants. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "futex.h"
#include "liveness.h"
#include "lock.h"
#include "rule.h"
#include "thread.h"
#include "warn.h"

struct gw_seen {
  bool listens;
  int events_fd;
  struct {
    uint64_t ticket, activations, changes;
    int32_t priority;
    bool active, shares;
  } rows[GW_ROWS];
};

int gw_decider_take(gw_page *page) {
  if (page->seen == NULL && (page->seen = calloc(1, sizeof *page->seen)) == NULL) {
    return gw_fail(GW_E_RESOURCES, ENOMEM);
  }
  int r = gw_decider_claim(page);
  if (r != GW_OK) {
    return r;
  }
  r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    gw_decider_release(page);
    return r;
  }
  memset(page->seen->rows, 0, sizeof page->seen->rows);
  for (uint32_t i = 0; i < GW_ROWS; i++) {
    GW_WRITE(page->map->rows[i].decided, GW_READ(page->map->rows[i].gate));
  }
  atomic_store(&page->deciding, true);
  atomic_store(&page->map->header.beat_ns, gw_now());
  atomic_store(&page->map->header.decider, (uint32_t)getpid());
  gw_gates_update(page, gw_now());
  gw_page_unlock(page);
  return GW_OK;
}

void gw_decider_leave(gw_page *page) {
  if (!atomic_load(&page->deciding)) {
    return;
  }
  if (gw_page_lock_patiently(page) == GW_OK) {
    atomic_store(&page->map->header.decider, 0);
    gw_gates_update(page, gw_now());
    gw_page_unlock(page);
  }
  atomic_store(&page->deciding, false);
  gw_decider_release(page);
}

/* Takes the lock for the daemon, which alone may decide. */
static int lock_to_decide(gw_page *page) {
  return atomic_load(&page->deciding) ? gw_page_lock(page) : gw_fail(GW_E_TAKEN, 0);
}

int gw_decider_beat(gw_page *page) {
  int r = lock_to_decide(page);
  if (r != GW_OK) {
    return r;
  }
  struct gw_header *header = &page->map->header;
  atomic_store(&header->beat_ns, gw_now());
  atomic_store(&header->decider,
               (uint32_t)getpid()); /* a task may have taken the daemon for dead */
  bool dead = false;
  for (uint32_t i = 0; !dead && i < gw_rows_used(page); i++) {
    dead = GW_READ(page->map->rows[i].state) != GW_FREE && !gw_row_alive(page, i);
  }
  if (dead) {
    gw_reap_dead(page);
  } else if (!GW_READ(header->by_daemon)) {
    gw_gates_update(page, gw_now());
  }
  gw_page_unlock(page);
  return GW_OK;
}

/* Prefetches the fields of a row that `compare` reads. Other processes wrote most, and the daemon
 * has slept: one cache miss after the other would take longer than the decision. */
static void prefetch(const struct gw_page *page, uint32_t i) {
  const struct gw_row *row = &page->map->rows[i];
  __builtin_prefetch(&row->gate);
  __builtin_prefetch(&row->activations);
  __builtin_prefetch(&row->flags);
  __builtin_prefetch(&page->map->attributes[i].changes);
  __builtin_prefetch(&page->seen->rows[i]);
}

/* Under the page's lock: finds the changes in one row. */
static struct gw_change compare(struct gw_page *page, uint32_t i) {
  const struct gw_row *row = &page->map->rows[i];
  struct gw_change change = {.row = i, .priority = gw_row_priority(row)};
  change.shares = (GW_READ(row->flags) & GW_ROW_SHARES) != 0;
  uint64_t ticket = GW_READ(row->state) == GW_FREE ? 0 : GW_READ(row->ticket);
  uint64_t changes = GW_READ(page->map->attributes[i].changes),
           activations = GW_READ(row->activations);
  bool active = ticket != 0 && GW_READ(row->state) == GW_ACTIVE;
  bool was_active = page->seen->rows[i].active;
  change.ticket = ticket;
  if (ticket != page->seen->rows[i].ticket) {
    change.left = page->seen->rows[i].ticket;
    change.flags |= (change.left != 0 ? GW_LEFT : 0u) | (ticket != 0 ? GW_JOINED : 0u);
    was_active = false;
  } else if (ticket != 0 && (changes != page->seen->rows[i].changes ||
                             change.priority != page->seen->rows[i].priority)) {
    change.flags |= GW_CHANGED;
  }
  bool again = active && was_active && activations != page->seen->rows[i].activations;
  change.flags |= (was_active && (again || !active)) ? GW_BECAME_IDLE : 0u;
  change.flags |= (active && (again || !was_active)) ? GW_BECAME_ACTIVE : 0u;
  bool shared = (change.flags & GW_JOINED) == 0 && page->seen->rows[i].shares;
  change.flags |= ticket != 0 && change.shares != shared ? GW_SLACK_CHANGED : 0u;
  if (change.flags != 0) {
    page->seen->rows[i].ticket = ticket;
    page->seen->rows[i].activations = activations;
    page->seen->rows[i].changes = changes;
    page->seen->rows[i].priority = change.priority;
    page->seen->rows[i].active = active;
    page->seen->rows[i].shares = change.shares != 0;
  }
  return change;
}

int gw_changes(gw_page *page, struct gw_change *changes, int capacity) {
  if (!atomic_load(&page->deciding)) {
    return gw_fail(GW_E_TAKEN, 0);
  }
  uint64_t events;
  if (page->seen->listens && read(page->seen->events_fd, &events, sizeof events) < 0) {
    events = 0; /* no event, or another thread has read it: looking at the page does no harm */
  }
  int r = gw_page_lock(page);
  if (r != GW_OK) {
    return r;
  }
  int n = 0;
  uint32_t used = gw_rows_used(page);
  for (uint32_t i = 0; i < used; i++) {
    prefetch(page, i);
  }
  for (uint32_t i = 0; i < used && n < capacity; i++) {
    struct gw_change change = compare(page, i);
    if (change.flags != 0) {
      changes[n++] = change;
    }
  }
  gw_page_unlock(page);
  return n;
}

int gw_decide(gw_page *page, const uint64_t *tickets, const uint32_t *rows, const uint32_t *gates,
              int count) {
  int r = lock_to_decide(page);
  if (r != GW_OK) {
    return r;
  }
  for (int i = 0; i < count; i++) {
    if (rows[i] < GW_ROWS && gates[i] <= GW_PAUSED &&
        GW_READ(page->map->rows[rows[i]].ticket) == tickets[i]) {
      GW_WRITE(page->map->rows[rows[i]].decided, gates[i]);
    }
  }
  gw_gates_apply(page, gw_now());
  gw_page_unlock(page);
  return GW_OK;
}

/* False for rows that the daemon has not seen yet, and for gates that stay closed until told. */
static bool may_decide(const struct gw_page *page, uint32_t i) {
  const struct gw_row *row = &page->map->rows[i];
  return GW_READ(row->ticket) == page->seen->rows[i].ticket && GW_READ(row->decided) != GW_PAUSED;
}

int gw_decide_only(gw_page *page, const uint64_t *tickets, const uint32_t *rows, int count) {
  int r = lock_to_decide(page);
  if (r != GW_OK) {
    return r;
  }
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    if (may_decide(page, i)) {
      GW_WRITE(page->map->rows[i].decided, GW_CLOSED);
    }
  }
  for (int i = 0; i < count; i++) {
    if (rows[i] < GW_ROWS && GW_READ(page->map->rows[rows[i]].ticket) == tickets[i] &&
        may_decide(page, rows[i])) {
      GW_WRITE(page->map->rows[rows[i]].decided, GW_OPEN);
    }
  }
  gw_gates_apply(page, gw_now());
  gw_page_unlock(page);
  return GW_OK;
}

/* ---- transitions, as a descriptor to poll ------------------------------------------------- */

struct listener {
  _Atomic uint32_t *events;
  int fd;
};

static void *listen_to(void *argument) {
  struct listener listener = *(struct listener *)argument;
  free(argument);
  pthread_setname_np(pthread_self(), "giveway");
  for (uint32_t seen = atomic_load(listener.events);;) {
    gw_futex_wait(listener.events, seen, UINT64_MAX, true);
    uint32_t now = atomic_load(listener.events);
    uint64_t one = 1;
    if (now != seen && write(listener.fd, &one, sizeof one) < 0 && errno == EBADF) {
      return NULL;
    }
    seen = now;
  }
}

int gw_events_fd(gw_page *page, int *fd) {
  if (!atomic_load(&page->deciding)) {
    return gw_fail(GW_E_TAKEN, 0);
  }
  struct listener *listener = malloc(sizeof *listener);
  if (listener == NULL) {
    return gw_fail(GW_E_RESOURCES, ENOMEM);
  }
  *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (*fd < 0) {
    free(listener);
    return gw_fail(GW_E_RESOURCES, errno);
  }
  *listener = (struct listener){&page->map->header.events, *fd};
  int error = gw_thread_start(listen_to, listener);
  if (error != 0) {
    close(*fd);
    free(listener);
    return gw_fail(GW_E_RESOURCES, error);
  }
  page->seen->events_fd = *fd;
  page->seen->listens = true;
  return GW_OK;
}
