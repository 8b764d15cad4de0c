/* The library's own threads. */
#ifndef GIVEWAY_THREAD_H
#define GIVEWAY_THREAD_H

/* Starts a detached thread with a small stack. 0 or an errno. */
int gw_thread_start(void *(*run)(void *), void *argument);

#endif
