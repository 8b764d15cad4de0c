#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "liveness.h"
#include "number.h"
#include "warn.h"

#define MIB (UINT64_C(1) << 20)

/* What the other tasks of a page have, of the device's memory. */
struct others {
  uint64_t reserved; /* promised to them */
  uint64_t unused;   /* promised to them, and not yet in use */
  uint64_t used;
  uint64_t parkable; /* in use by less urgent tasks, which give it up when this one needs it */
};

static uint64_t add(uint64_t a, uint64_t b) { return a + b >= a ? a + b : UINT64_MAX; }
static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }
static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Whether the row is of a living task that has its memory on the device. */
static bool has_memory(const struct gw_page *page, uint32_t index) {
  const struct gw_row *row = &page->map->rows[index];
  return GW_READ(row->state) != GW_FREE && GW_READ(row->parked) != GW_PARKED &&
         gw_row_alive(page, index);
}

static struct others read_others(const struct gw_page *page, const struct gw_row *own) {
  struct others all = {0};
  int32_t priority = own != NULL ? gw_row_priority(own)
                                 : (int32_t)gw_environment_integer(
                                       "GIVEWAY_PRIORITY", GW_PRIORITY_MIN, GW_PRIORITY_MAX, 0);
  for (uint32_t i = 0; i < gw_rows_used(page); i++) {
    const struct gw_row *row = &page->map->rows[i];
    uint64_t reserve = GW_READ(row->memory_reserve), used = atomic_load(&row->memory);
    if (row == own || (reserve | used) == 0 || !has_memory(page, i)) {
      continue;
    }
    bool parkable = gw_has_flag(row, GW_ROW_CAN_PARK) && gw_has_flag(row, GW_ROW_PARKABLE);
    all.parkable = add(all.parkable, parkable && gw_row_priority(row) < priority ? used : 0);
    all.reserved = add(all.reserved, reserve);
    all.used = add(all.used, used);
    all.unused = add(all.unused, less(reserve, used));
  }
  return all;
}

/* Of these, what decides about an allocation: no more is read, because it delays each one. */
struct promises {
  uint64_t reserved;
  uint64_t kept; /* promised to them, or in use by them: for each task the larger one */
};

static struct promises read_promises(const struct gw_page *page, const struct gw_row *own) {
  struct promises all = {0};
  for (uint32_t i = 0, n = gw_rows_used(page); i < n; i++) {
    const struct gw_row *row = &page->map->rows[i];
    uint64_t reserve = GW_READ(row->memory_reserve), used = atomic_load(&row->memory);
    uint64_t most = larger(reserve, used);
    if (most != 0 && row != own && has_memory(page, i)) {
      all.reserved = add(all.reserved, reserve);
      all.kept = add(all.kept, most);
    }
  }
  return all;
}

/* An upper bound of what is kept, without a look at whether the tasks are alive, which is in
 * another cache line of each row. */
static uint64_t most_kept(const struct gw_page *page, const struct gw_row *own) {
  uint64_t kept = 0;
  for (uint32_t i = 0, n = gw_rows_used(page); i < n; i++) {
    const struct gw_row *row = &page->map->rows[i];
    uint64_t most = larger(GW_READ(row->memory_reserve), atomic_load(&row->memory));
    if (most != 0 && row != own && GW_READ(row->parked) != GW_PARKED) {
      kept = add(kept, most);
    }
  }
  return kept;
}

/* As users write amounts; `giveway run` itself writes bytes. */
static const struct {
  const char *name;
  double bytes;
} units[] = {{"", 1},     {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
             {"MB", 1e6}, {"GB", 1e9},     {"TB", 1e12}};

/* Reads an amount, or a percentage of the total. */
static bool read_amount(const char *text, uint64_t total, uint64_t *amount) {
  const char *end;
  double value = gw_decimal(text, &end), bytes = -1;
  if (strcmp(end, "%") == 0) {
    bytes = (double)total * value / 100;
  }
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    bytes = strcasecmp(end, units[i].name) == 0 ? value * units[i].bytes : bytes;
  }
  if (end == text || !(bytes >= 0 && bytes < 1e18)) { /* NaN, too: of endless digits */
    return false;
  }
  *amount = (uint64_t)bytes;
  return true;
}

/* The amount that a variable states; 0: none. */
static uint64_t setting(const char *variable, uint64_t total) {
  const char *text = getenv(variable);
  uint64_t amount = 0;
  return text != NULL && read_amount(text, total, &amount) ? amount : 0;
}

static bool has_row(const struct gw_task *task) {
  return GW_READ(task->page->broken) == 0 && !gw_task_lost(task);
}

/* A user may have changed the limit in the row. A task that has lost its row keeps what it knows.
 */
static uint64_t limit_of(gw_task *task) {
  uint64_t known = GW_READ(task->memory_limit);
  if (has_row(task)) {
    uint64_t now = GW_READ(gw_row_of(task)->memory_limit);
    if (now != known) {
      GW_WRITE(task->memory_limit, now);
    }
    return now;
  }
  return known;
}

/* ---- what a task has ------------------------------------------------------------------------ */

void gw_memory_fill(struct gw_row *row, const struct gw_task *task) {
  atomic_store(&row->memory, GW_READ(task->memory));
  atomic_store(&row->memory_peak, GW_READ(task->memory_peak));
  atomic_store(&row->memory_limit, GW_READ(task->memory_limit));
  atomic_store(&row->memory_reserve, GW_READ(task->memory_reserve));
}

static void raise_to(_Atomic uint64_t *most, uint64_t value) {
  uint64_t now = GW_READ(*most);
  while (value > now && !atomic_compare_exchange_weak(most, &now, value)) {
  }
}

static uint64_t add_use(gw_task *task, uint64_t bytes) {
  uint64_t now = atomic_fetch_add(&task->memory, bytes) + bytes;
  if (has_row(task)) {
    atomic_fetch_add(&gw_row_of(task)->memory, bytes);
  }
  return now;
}

static void note_peak(gw_task *task, uint64_t now) {
  if (now > GW_READ(task->memory_peak)) {
    raise_to(&task->memory_peak, now);
    if (has_row(task)) {
      raise_to(&gw_row_of(task)->memory_peak, now);
    }
  }
}

/* ---- allocations ---------------------------------------------------------------------------- */

/* Whether the task may use so much; see gw_memory_take. Where nobody has reserved memory and the
 * task has no limit, the driver alone decides. */
static int may_use(gw_task *task, uint64_t bytes) {
  uint64_t limit = limit_of(task), total = GW_READ(task->memory_total);
  if (limit != 0 && bytes > limit) {
    return 0;
  }
  const struct gw_row *own = gw_row_of(task);
  if (total == 0 || GW_READ(task->page->broken) != 0 ||
      add(bytes, most_kept(task->page, own)) <= total) {
    return 1;
  }
  struct promises others = read_promises(task->page, own);
  return others.reserved == 0 || add(bytes, others.kept) <= total ? 1 : -1;
}

int gw_memory_take(gw_task *task, uint64_t bytes, uint64_t *in_use) {
  if (task == NULL) {
    return 1;
  }
  *in_use = add_use(task, bytes);
  int may = may_use(task, *in_use);
  if (may != 1) {
    gw_memory_give(task, bytes);
  }
  return may;
}

int gw_memory_may_take(gw_task *task, uint64_t bytes) {
  return task != NULL ? may_use(task, add(GW_READ(task->memory), bytes)) : 1;
}

void gw_memory_taken(gw_task *task, uint64_t in_use) {
  if (task != NULL) {
    note_peak(task, in_use);
  }
}

void gw_memory_count(gw_task *task, uint64_t bytes) {
  if (task != NULL) {
    note_peak(task, add_use(task, bytes));
  }
}

void gw_memory_give(gw_task *task, uint64_t bytes) {
  if (task != NULL) {
    add_use(task, 0 - bytes);
  }
}

/* ---- what the program sees ------------------------------------------------------------------ */

void gw_memory_view(gw_page *page, gw_task *task, uint64_t total, uint64_t free,
                    struct gw_memory_view *view) {
  uint64_t known = page != NULL ? GW_READ(page->map->header.memory) : 0;
  uint64_t limit =
      task != NULL ? limit_of(task) : setting("GIVEWAY_MEMORY", known != 0 ? known : total);
  struct others others = {0};
  if (page != NULL && GW_READ(page->broken) == 0) {
    others = read_others(page, task != NULL ? gw_row_of(task) : NULL);
  }
  view->used = task != NULL ? GW_READ(task->memory) : 0;
  view->total = less(total, others.reserved);
  bool limited = limit != 0 && limit < view->total;
  view->total = limited ? limit : view->total;
  view->shown = view->total < total || others.parkable != 0;
  view->free = less(view->total, view->used);
  if (!limited) { /* no promise: what others use is not free, unless they can be parked */
    view->free = smaller(view->free, less(add(free, others.parkable), others.unused));
  }
}

/* ---- at the start --------------------------------------------------------------------------- */

/* The text is the reason, with up to three numbers of MiB. */
static void warn(const char *format, uint64_t first, uint64_t second, uint64_t third) {
  char text[256];
  snprintf(text, sizeof text, format, (unsigned long)(first / MIB), (unsigned long)(second / MIB),
           (unsigned long)(third / MIB));
  gw_warn(text);
}

static void refuse_nonsense(const char *variable) {
  const char *text = getenv(variable);
  uint64_t amount;
  if (text != NULL && *text != '\0' && !read_amount(text, 0, &amount)) {
    char line[256];
    snprintf(line, sizeof line, "%s is %.64s, which is no amount of memory, and is ignored",
             variable, text);
    gw_warn(line);
  }
}

static uint64_t usable_limit(uint64_t total, uint64_t context) {
  uint64_t limit = setting("GIVEWAY_MEMORY", total);
  if (limit > total) {
    warn("no memory limit: %lu MiB are more than the %lu MiB of the device", limit, total, 0);
    return 0;
  }
  if (limit != 0 && limit <= context) {
    warn("every allocation will fail: a context takes %lu of the %lu MiB of --memory", context,
         limit, 0);
  }
  return limit;
}

/* A reservation that cannot be met yet still holds: others get no more, and what they free goes to
 * this task. */
static uint64_t usable_reserve(uint64_t total, uint64_t kept) {
  uint64_t reserve = setting("GIVEWAY_RESERVE", total);
  if (reserve > total) {
    warn("nothing is reserved: %lu MiB are more than the %lu MiB of the device", reserve, total, 0);
    return 0;
  }
  if (reserve != 0 && add(reserve, kept) > total) {
    warn("%lu MiB cannot be reserved yet: other programs have %lu of %lu MiB", reserve, kept,
         total);
  }
  return reserve;
}

void gw_memory_begin(gw_task *task, uint64_t total, uint64_t context) {
  struct gw_header *header = &task->page->map->header;
  uint64_t kept = read_promises(task->page, gw_row_of(task)).kept;
  refuse_nonsense("GIVEWAY_MEMORY");
  refuse_nonsense("GIVEWAY_RESERVE");
  GW_WRITE(header->memory, total);
  raise_to(&header->memory_context, context);
  GW_WRITE(task->memory_limit, usable_limit(total, context));
  GW_WRITE(task->memory_reserve, usable_reserve(total, kept));
  GW_WRITE(task->memory_total, total);
  if (has_row(task)) {
    GW_WRITE(gw_row_of(task)->memory_limit, GW_READ(task->memory_limit));
    GW_WRITE(gw_row_of(task)->memory_reserve, GW_READ(task->memory_reserve));
  }
  gw_memory_count(task, context);
}

uint64_t gw_memory_unaccounted(gw_task *task, uint64_t used) {
  return less(used, read_others(task->page, gw_row_of(task)).used);
}

int gw_device_memory(gw_page *page, struct gw_device_memory *memory) {
  int r = gw_page_check(page);
  if (r == GW_OK) {
    memory->total = GW_READ(page->map->header.memory);
    memory->context = GW_READ(page->map->header.memory_context);
  }
  return r;
}
