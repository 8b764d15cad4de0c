/* Attributes are for policies: the library only keeps them. */
#include "steer.h"

#include <string.h>

#include "clock.h"
#include "lock.h"
#include "rule.h"
#include "warn.h"

void gw_attributes_write(struct gw_page *page, uint32_t row, const char *text) {
  struct gw_attributes *attributes = &page->map->attributes[row];
  size_t size = strnlen(text, GW_ATTRIBUTES_SIZE);
  memset(attributes->text, 0, GW_ATTRIBUTES_SIZE);
  if (size < GW_ATTRIBUTES_SIZE) { /* half a text would say something else */
    memcpy(attributes->text, text, size);
  }
  atomic_fetch_add(&attributes->changes, 1);
}

int gw_set_attributes(gw_page *page, uint64_t ticket, const char *text) {
  if (strnlen(text, GW_ATTRIBUTES_SIZE) == GW_ATTRIBUTES_SIZE) {
    return gw_fail(GW_E_ARGUMENT, 0);
  }
  struct gw_row *row;
  int r = gw_page_lock_task(page, ticket, &row);
  if (r == GW_OK) {
    gw_attributes_write(page, (uint32_t)(row - page->map->rows), text);
    gw_gates_update(page, gw_now());
    gw_page_unlock(page);
  }
  return r;
}

int gw_attributes(gw_page *page, uint64_t ticket, char *text, size_t size) {
  struct gw_row *row;
  int r = gw_page_lock_task(page, ticket, &row);
  if (r != GW_OK) {
    return r;
  }
  const char *from = page->map->attributes[row - page->map->rows].text;
  size_t n = strnlen(from, GW_ATTRIBUTES_SIZE);
  if (n < size) {
    memcpy(text, from, n);
    text[n] = '\0';
  } else {
    r = gw_fail(GW_E_ARGUMENT, 0);
  }
  gw_page_unlock(page);
  return r;
}

int gw_set_memory_limit(gw_page *page, uint64_t ticket, uint64_t bytes) {
  struct gw_row *row;
  int r = gw_page_lock_task(page, ticket, &row);
  if (r == GW_OK) {
    GW_WRITE(row->memory_limit, bytes);
    gw_page_unlock(page);
  }
  return r;
}

int gw_set_priority(gw_page *page, uint64_t ticket, int priority) {
  if (priority < GW_PRIORITY_MIN || priority > GW_PRIORITY_MAX) {
    return gw_fail(GW_E_ARGUMENT, 0);
  }
  struct gw_row *row;
  int r = gw_page_lock_task(page, ticket, &row);
  if (r == GW_OK) {
    GW_WRITE(row->priority, priority);
    gw_gates_update(page, gw_now());
    gw_page_unlock(page);
  }
  return r;
}
