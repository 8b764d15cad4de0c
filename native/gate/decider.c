#include "decider.h"

#include "clock.h"
#include "liveness.h"
#include "lock.h"
#include "rule.h"

void gw_daemon_check(struct gw_page *page, uint64_t now) {
  struct gw_header *header = &page->map->header;
  if (!GW_READ(header->by_daemon)) {
    return;
  }
  bool alive = gw_decider_alive(page);
  if ((alive && gw_daemon_decides(page, now)) || gw_page_lock(page) != GW_OK) {
    return;
  }
  if (!alive && !gw_decider_alive(page)) { /* still not, now that this process has the lock */
    atomic_store(&header->decider, 0);
  }
  gw_gates_update(page, gw_now());
  gw_page_unlock(page);
}

int gw_decider(gw_page *page) {
  return gw_daemon_decides(page, gw_now()) && gw_decider_alive(page)
             ? (int)GW_READ(page->map->header.decider)
             : 0;
}
