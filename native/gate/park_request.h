/* Requests to park a task and to bring it back; giveway.h has those of users. */
#ifndef GIVEWAY_PARK_REQUEST_H
#define GIVEWAY_PARK_REQUEST_H

#include "state.h"

/* Takes back the request that the other task has made, unless a user or a third task has asked. */
int gw_park_withdraw(gw_page *page, uint64_t ticket, uint64_t for_ticket);

#endif
