/* Tasks compete for cores, not for the CPU device as a whole: a task that is pinned elsewhere, has
 * fewer threads than cores, or a quota of CPU time, leaves the rest to others
 * (docs/decisions/0024-cores.md).
 *
 * An urgent task takes as many cores as it keeps busy at most: first such cores as the row does not
 * use, for that is where the kernel moves its threads, then the lowest. */
#include "cores.h"

static uint32_t count(const uint64_t *cores) {
  uint32_t n = 0;
  for (int i = 0; i < GW_CORE_WORDS; i++) {
    n += (uint32_t)__builtin_popcountll(cores[i]);
  }
  return n;
}

void gw_room_of(const struct gw_row *row, struct gw_room *room) {
  *room = (struct gw_room){.whole_device = GW_READ(row->width) == 0};
  for (int i = 0; i < GW_CORE_WORDS; i++) {
    room->cores[i] = GW_READ(row->cores[i]);
  }
}

/* Takes up to `n` of the other row's cores that are still free. Returns how many it did not find.
 * `shared`: the cores that both rows may use, else those that only the other may use. */
static uint32_t take(struct gw_room *room, const struct gw_row *other, uint32_t n, bool shared) {
  for (int i = 0; i < GW_CORE_WORDS && n != 0; i++) {
    uint64_t own = room->cores[i] | room->taken[i];
    uint64_t from = GW_READ(other->cores[i]) & (shared ? room->cores[i] : ~own);
    for (; from != 0 && n != 0; from &= from - 1, n--) {
      uint64_t core = from & -from;
      room->taken[i] |= core;
      room->cores[i] &= ~core;
    }
  }
  return n;
}

void gw_room_take(struct gw_room *room, const struct gw_row *other) {
  uint32_t width = GW_READ(other->width);
  room->whole_device = room->whole_device || width == 0;
  take(room, other, take(room, other, width, false), true);
}

uint32_t gw_room_gate(const struct gw_room *room, const struct gw_row *row) {
  uint32_t left = room->whole_device ? 0 : count(room->cores);
  return left == 0 ? GW_CLOSED : left < GW_READ(row->width) ? GW_NARROW : GW_OPEN;
}
