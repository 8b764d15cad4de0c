/* Whether a parked process fits on its devices again. A restore without room fails for good, so
 * that a look comes first: what was free when the process was parked, less what the other tasks
 * have taken since. */
#ifndef GIVEWAY_PARK_ROOM_H
#define GIVEWAY_PARK_ROOM_H

#include "state.h"

/* Before the process is parked: notes what is free on each of its devices. */
void gw_park_note_room(void);
/* Whether that is noted of every device where the process has memory now. */
bool gw_park_knows_room(void);
/* Whether it fits now, on all of them. Each page then has the room on its device. */
bool gw_park_fits(void);

#endif
