/* Which gates are open. Callers hold the page's lock, unless it says otherwise. */
#ifndef GIVEWAY_RULE_H
#define GIVEWAY_RULE_H

#include "state.h"

/* Whether a daemon decides about the gates: without the lock as well. */
bool gw_daemon_decides(const struct gw_page *page, uint64_t now);
/* Opens and closes the gates of a page as they are to be now. */
void gw_gates_apply(struct gw_page *page, uint64_t now);
/* The same at the end of a transition, of which the daemon is told. */
void gw_gates_update(struct gw_page *page, uint64_t now);
/* Gives the first task a turn of one quantum, and those with it that have waited for as long. */
void gw_gates_turn(struct gw_page *page, struct gw_row *first, uint64_t now);
void gw_row_free(struct gw_row *row);

#endif
