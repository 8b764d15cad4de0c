#include "liveness.h"

#include <errno.h>

#include "keeper.h"
#include "warn.h"

int gw_holder_start(struct gw_page *page) {
  if (page->keeper == NULL) {
    page->keeper = gw_keeper_start(page->map, offsetof(struct gw_page_layout, attributes));
  }
  return page->keeper != NULL ? GW_OK : gw_fail(GW_E_RESOURCES, errno);
}

void gw_row_claim(struct gw_page *page, uint32_t row, uint64_t ticket) {
  atomic_store(&page->ours[row], ticket);
  gw_keep(page->keeper, &page->map->rows[row].holder);
}

void gw_row_release(struct gw_page *page, uint32_t row, uint64_t ticket) {
  if (atomic_load(&page->ours[row]) ==
      ticket) { /* another task of this process may have it by now */
    atomic_store(&page->ours[row], 0);
    gw_keep_no_longer(page->keeper, &page->map->rows[row].holder);
  }
}

bool gw_row_alive(const struct gw_page *page, uint32_t row) {
  return gw_is_kept(GW_READ(page->map->rows[row].holder));
}

bool gw_row_is_ours(const struct gw_page *page, const struct gw_row *row) {
  uint64_t ticket = GW_READ(page->ours[row - page->map->rows]);
  return ticket != 0 && GW_READ(row->ticket) == ticket;
}

int gw_decider_claim(struct gw_page *page) {
  if (atomic_load(&page->deciding)) {
    return GW_OK;
  }
  pthread_mutex_lock(&gw_process.lock);
  int r = gw_holder_start(page);
  if (r == GW_OK && !gw_keep_if_free(page->keeper, &page->map->header.holder)) {
    r = gw_fail(GW_E_TAKEN, 0);
  }
  pthread_mutex_unlock(&gw_process.lock);
  return r;
}

void gw_decider_release(struct gw_page *page) {
  pthread_mutex_lock(&gw_process.lock);
  atomic_store(&page->map->header.holder, 0);
  gw_keep_no_longer(page->keeper, &page->map->header.holder);
  pthread_mutex_unlock(&gw_process.lock);
}

bool gw_decider_alive(const struct gw_page *page) {
  return gw_is_kept(GW_READ(page->map->header.holder));
}
