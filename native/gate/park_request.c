/* Requests to park a task and to bring it back. The task's process carries them out. */
#include "park_request.h"

#include "futex.h"
#include "lock.h"

static bool asks_to_park(const struct gw_row *row) { return (GW_READ(row->park_request) & 1) != 0; }

/* A user's request takes the place of a task's, and a task's that of none. */
static bool counts(const struct gw_row *row, uint64_t for_ticket) {
  return for_ticket == 0 || !asks_to_park(row);
}

/* A task takes back its own request only. */
static bool is_own(const struct gw_row *row, uint64_t for_ticket) {
  return for_ticket == 0 || (asks_to_park(row) && GW_READ(row->park_for) == for_ticket);
}

/* The next odd or even number. The row's process may add one meanwhile. */
static void count_request(struct gw_row *row, uint32_t wanted) {
  uint32_t now = atomic_load(&row->park_request);
  while (!atomic_compare_exchange_weak(&row->park_request, &now,
                                       now + 1 + ((now & 1) == wanted ? 1 : 0))) {
  }
}

static int request(gw_page *page, uint64_t ticket, uint32_t wanted, uint64_t for_ticket) {
  struct gw_row *row;
  int r = gw_page_lock_task(page, ticket, &row);
  if (r != GW_OK) {
    return r;
  }
  if (wanted ? counts(row, for_ticket) : is_own(row, for_ticket)) {
    atomic_store(&row->park_error, GW_PARK_OK);
    if (wanted) { /* a task that cannot come back yet still does when the other one has ended */
      atomic_store(&row->park_for, for_ticket);
    }
    count_request(row, wanted);
    atomic_fetch_add(&page->map->header.park_requests, 1);
  }
  gw_page_unlock(page);
  gw_futex_wake(&page->map->header.park_requests, true);
  return GW_OK;
}

int gw_park(gw_page *page, uint64_t ticket, uint64_t for_ticket) {
  return request(page, ticket, 1, for_ticket);
}

int gw_unpark(gw_page *page, uint64_t ticket) { return request(page, ticket, 0, 0); }

int gw_park_withdraw(gw_page *page, uint64_t ticket, uint64_t for_ticket) {
  return request(page, ticket, 0, for_ticket);
}
