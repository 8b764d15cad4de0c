/* Changes of a task that users request: its priority and its attributes. */
#ifndef GIVEWAY_STEER_H
#define GIVEWAY_STEER_H

#include "state.h"

/* Under the page's lock. */
void gw_attributes_write(struct gw_page *page, uint32_t row, const char *text);

#endif
