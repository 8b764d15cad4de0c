/* Errors in words, and the handling of a page that cannot be trusted. */
#ifndef GIVEWAY_WARN_H
#define GIVEWAY_WARN_H

#include "state.h"

/* Remembers errno for gw_error_errno, and returns the error. */
int gw_fail(int error, int system_error);
/* Prints that the process runs ungated, and why, unless this process has printed a line already. */
void gw_warn_ungated(int error, const char *path);
/* From now on the process ignores the page; returns the error. */
int gw_page_distrust(struct gw_page *page, int error);

#endif
