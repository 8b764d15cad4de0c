/* Threads of the library in somebody's process. */
#ifndef GIVEWAY_THREAD_H
#define GIVEWAY_THREAD_H

/* Starts a thread, detached, with a small stack. GW_OK, or GW_E_RESOURCES. */
int gw_thread_start(void *(*run)(void *), void *argument);

#endif
