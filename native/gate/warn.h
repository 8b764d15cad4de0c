/* Errors in words, and what happens when a page cannot be trusted. */
#ifndef GIVEWAY_WARN_H
#define GIVEWAY_WARN_H

#include "state.h"

/* Remembers errno for gw_error_errno, and returns the error. */
int gw_fail(int error, int system_error);
/* Says, if nothing was said yet in this process, that it runs ungated and why. */
void gw_warn_ungated(int error, const char *path);
/* From now on the process ignores the page; returns the error. */
int gw_page_distrust(struct gw_page *page, int error);

#endif
