/* Who decides about the gates: a daemon while it shows signs of life, else the tasks' priorities.
 */
#include "internal.h"

#define STALE_NS (250 * GW_MS) /* without a sign of life; one comes every 100 ms */

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

bool gw_daemon_decides(const struct gw_page *page, uint64_t now) {
  const struct gw_header *header = &page->map->header;
  int64_t age = (int64_t)(now - GET(header->beat_ns)); /* below 0 where it came after `now` */
  return GET(header->decider) != 0 && age < STALE_NS && age > -STALE_NS;
}

void gw_daemon_check(struct gw_page *page, uint64_t now) {
  struct gw_header *header = &page->map->header;
  if (!GET(header->by_daemon)) {
    return;
  }
  bool alive = gw_decider_alive(page);
  if ((alive && gw_daemon_decides(page, now)) || gw_page_lock(page) != GW_OK) {
    return;
  }
  if (!alive && !gw_decider_alive(page)) { /* not even by now */
    atomic_store(&header->decider, 0);
  }
  gw_gates_update(page, gw_now());
  gw_page_unlock(page);
}

int gw_decider(gw_page *page) {
  return gw_daemon_decides(page, gw_now()) && gw_decider_alive(page)
             ? (int)GET(page->map->header.decider)
             : 0;
}
