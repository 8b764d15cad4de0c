/* A page that shrinks under its mapping is replaced by zeros instead of raising a SIGBUS. */
#ifndef GIVEWAY_GUARD_H
#define GIVEWAY_GUARD_H

#include "state.h"

void gw_guard_page(struct gw_page *page);
void gw_unguard_page(struct gw_page *page);

#endif
