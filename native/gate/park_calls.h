/* What the rest of the library asks about parking; see park.h. */
#ifndef GIVEWAY_PARK_CALLS_H
#define GIVEWAY_PARK_CALLS_H

#include "state.h"

/* The hook's; NULL: this process cannot be parked. */
const struct gw_parker *gw_parker(void);
/* The flags of a row that the process takes. */
uint32_t gw_park_flags(const struct gw_task *task);
/* A task that takes a row while its process is parked is parked there as well. */
void gw_park_fill(struct gw_row *row);

#endif
