/* Which tasks are alive, by the holders of their rows; see gate_page.h. */
#ifndef GIVEWAY_LIVENESS_H
#define GIVEWAY_LIVENESS_H

#include "state.h"

/* An active task without a heartbeat for so long is stopped. Heartbeats come every 20 ms, but the
 * threads of a container that has used up its quota of CPU time do not run for 100 ms and more. */
#define GW_STALLED_NS (250 * GW_MS)

/* Under gw_process.lock: this process can hold rows of the page from now on. */
int gw_holder_start(struct gw_page *page);
/* Under gw_process.lock and the page's lock: the row is this process's, with that ticket. */
void gw_row_claim(struct gw_page *page, uint32_t row, uint64_t ticket);
/* Under gw_process.lock: the process's task with that ticket has left the row, or has lost it. */
void gw_row_release(struct gw_page *page, uint32_t row, uint64_t ticket);
bool gw_row_alive(const struct gw_page *page, uint32_t row);
/* Whether this process has the row. */
bool gw_row_is_ours(const struct gw_page *page, const struct gw_row *row);

/* The same for the daemon of the page. GW_E_TAKEN: another process is the daemon. */
int gw_decider_claim(struct gw_page *page);
void gw_decider_release(struct gw_page *page);
bool gw_decider_alive(const struct gw_page *page);

#endif
