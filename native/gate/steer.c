/* What users say about tasks, for policies; the library only keeps it. */
#include <string.h>

#include "internal.h"

void gw_attributes_put(struct gw_page *page, uint32_t row, const char *text) {
  struct gw_attributes *attributes = &page->map->attributes[row];
  size_t size = strnlen(text, GW_ATTRIBUTES_SIZE);
  memset(attributes->text, 0, GW_ATTRIBUTES_SIZE);
  if (size < GW_ATTRIBUTES_SIZE) { /* half of it would say something else */
    memcpy(attributes->text, text, size);
  }
  atomic_fetch_add(&attributes->changes, 1);
}

/* Under the page's lock: the row of a task, or -1. */
static int row_of(const struct gw_page *page, uint64_t ticket) {
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    if (ticket != 0 && atomic_load(&page->map->rows[i].ticket) == ticket) {
      return (int)i;
    }
  }
  return -1;
}

int gw_set_attributes(gw_page *page, uint64_t ticket, const char *text) {
  if (strnlen(text, GW_ATTRIBUTES_SIZE) == GW_ATTRIBUTES_SIZE) {
    return gw_fail(GW_E_ARGUMENT, 0);
  }
  int r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    return r;
  }
  int row = row_of(page, ticket);
  if (row < 0) {
    r = gw_fail(GW_E_NO_TASK, 0);
  } else {
    gw_attributes_put(page, (uint32_t)row, text);
    gw_gates_update(page, gw_now());
  }
  gw_page_unlock(page);
  return r;
}

int gw_attributes(gw_page *page, uint64_t ticket, char *text, size_t size) {
  int r = gw_page_lock_patiently(page);
  if (r != GW_OK) {
    return r;
  }
  int row = row_of(page, ticket);
  if (row < 0) {
    r = gw_fail(GW_E_NO_TASK, 0);
  } else {
    const char *from = page->map->attributes[row].text;
    size_t n = strnlen(from, GW_ATTRIBUTES_SIZE);
    if (n >= size) {
      r = gw_fail(GW_E_ARGUMENT, 0);
    } else {
      memcpy(text, from, n);
      text[n] = '\0';
    }
  }
  gw_page_unlock(page);
  return r;
}
