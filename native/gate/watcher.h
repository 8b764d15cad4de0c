/* The watcher: one thread for each process that has tasks. */
#ifndef GIVEWAY_WATCHER_H
#define GIVEWAY_WATCHER_H

/* Under gw_process.lock. */
int gw_watcher_start(void);

#endif
