/* The cores that a task may use while more urgent tasks have work. */
#ifndef GIVEWAY_CORES_H
#define GIVEWAY_CORES_H

#include "state.h"

struct gw_room {
  uint64_t cores[GW_CORE_WORDS]; /* those that the tasks taken away leave to the row */
  uint64_t taken[GW_CORE_WORDS];
  bool whole_device; /* a task that uses the whole device was taken away: nothing is left */
};

/* All the cores of a row. A row that does not say which cores it uses has the whole device. */
void gw_room_of(const struct gw_row *row, struct gw_room *room);
/* Takes away the cores that the other row's task needs. */
void gw_room_take(struct gw_room *room, const struct gw_row *other);
/* GW_OPEN: the row's task has all the cores it needs; GW_NARROW: some; GW_CLOSED: none. */
uint32_t gw_room_gate(const struct gw_room *room, const struct gw_row *row);

#endif
