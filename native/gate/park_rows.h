/* Parking, as the rows of this process have it: what others ask for, and what the process answers.
 *
 * A row counts its requests (row.park_request): an odd number asks to park, an even one to come
 * back. To refuse, the process itself adds one, but only while the number is the one that it has
 * read: a request that arrives meanwhile stays, and is served next. */
#ifndef GIVEWAY_PARK_ROWS_H
#define GIVEWAY_PARK_ROWS_H

#include "state.h"

/* Under gw_process.lock. */
#define GW_EACH_OWN(task)                                                                          \
  for (struct gw_task *task = gw_process.tasks; task != NULL; task = task->next)                   \
    if (!gw_task_lost(task) && !GW_READ(task->left))

/* What all rows ask for together: the process is parked while one of them wants that. */
struct gw_park_requests {
  bool found; /* the process has a row that can be asked */
  bool wanted;
  bool in_job;
  uint64_t memory; /* on all devices */
};
struct gw_park_requests gw_park_read_requests(void);

struct gw_refusal {
  uint32_t error, number;
  uint64_t room; /* with GW_PARK_NO_ROOM, each row has that of its own device */
};
/* Writes in every row how far parking has come, and opens or closes the gates. The result of a
 * request is its answer; NULL: none yet. */
void gw_park_show(uint32_t state, const struct gw_refusal *result);
/* What gw_park_show could not do, because another process had a page's lock. False: all is done. */
bool gw_park_update_gates(void);

/* Under gw_process.lock: whether the row, as last read, wants the process parked. */
bool gw_park_wants(const struct gw_task *task);
/* Ends all requests to park. False: others have come since these were read. */
bool gw_park_end_requests(void);

#endif
