/* The page's lock, and how its holder frees the rows of dead tasks. */
#ifndef GIVEWAY_LOCK_H
#define GIVEWAY_LOCK_H

#include "state.h"

int gw_page_lock(struct gw_page *page);           /* on the way of a launch: gives up soon */
int gw_page_lock_patiently(struct gw_page *page); /* where a user or a join waits for the answer */
/* Takes the lock patiently and finds the task's row. Without the lock where it returns an error. */
int gw_page_lock_task(struct gw_page *page, uint64_t ticket, struct gw_row **row);
void gw_page_unlock(struct gw_page *page);
/* Under the lock: frees the rows of tasks that are dead; their number. */
int gw_reap_dead(struct gw_page *page);

#endif
