/* Which tasks are alive: by record locks on the page file. */
#ifndef GIVEWAY_LIVENESS_H
#define GIVEWAY_LIVENESS_H

#include "state.h"

/* 0, or an errno: another process has the row. */
int gw_row_claim(struct gw_page *page, uint32_t row);
void gw_row_release(struct gw_page *page, uint32_t row);
bool gw_row_alive(struct gw_page *page, uint32_t row);
/* The same for the daemon of the page. */
int gw_decider_claim(struct gw_page *page);
void gw_decider_release(struct gw_page *page);
bool gw_decider_alive(struct gw_page *page);

#endif
