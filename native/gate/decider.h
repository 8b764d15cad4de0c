/* Takes the gates back from a daemon that is dead or silent. */
#ifndef GIVEWAY_DECIDER_H
#define GIVEWAY_DECIDER_H

#include "state.h"

/* If the gates still follow a daemon that decides no longer, opens and closes them by priority.
 * Takes the page's lock. */
void gw_daemon_check(struct gw_page *page, uint64_t now);

#endif
