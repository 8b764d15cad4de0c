#include "park_room.h"

#include "liveness.h"
#include "park_calls.h"

/* A page stays in the list: later ones are put before it. */
static struct gw_page *first_page(void) {
  pthread_mutex_lock(&gw_process.lock);
  struct gw_page *first = gw_process.pages;
  pthread_mutex_unlock(&gw_process.lock);
  return first;
}

static uint64_t memory_of_others(const struct gw_page *page) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    const struct gw_row *row = &page->map->rows[i];
    if (GW_READ(row->state) != GW_FREE && GW_READ(row->parked) != GW_PARKED &&
        GW_READ(page->ours[i]) == 0 && gw_row_alive(page, i)) {
      bytes += GW_READ(row->memory);
    }
  }
  return bytes;
}

static uint64_t own_memory(const struct gw_page *page) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    bytes += GW_READ(page->ours[i]) != 0 ? GW_READ(page->map->rows[i].memory) : 0;
  }
  return bytes;
}

void gw_park_note_room(void) {
  for (struct gw_page *page = first_page(); page != NULL; page = page->next) {
    page->parked.own = own_memory(page);
    page->parked.others = memory_of_others(page);
    page->parked.available = gw_parker()->available(page);
  }
}

bool gw_park_knows_room(void) {
  bool all = true;
  for (struct gw_page *page = first_page(); page != NULL; page = page->next) {
    all = all && (page->parked.available != UINT64_MAX || own_memory(page) == 0);
  }
  return all;
}

/* What the process has taken since the note was free then, and is counted as such. */
static bool fits_on(struct gw_page *page) {
  uint64_t own = own_memory(page), now = memory_of_others(page);
  uint64_t taken = now > page->parked.others ? now - page->parked.others : 0;
  page->parked.room = UINT64_MAX;
  if (page->parked.available == UINT64_MAX || own == 0) {
    return true;
  }
  uint64_t there = page->parked.own + page->parked.available;
  page->parked.room = there > taken ? there - taken : 0;
  return own <= page->parked.room;
}

bool gw_park_fits(void) {
  bool all = true;
  for (struct gw_page *page = first_page(); page != NULL; page = page->next) {
    all = fits_on(page) && all;
  }
  return all;
}
