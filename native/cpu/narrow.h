/* A narrow gate: the threads of a region use the cores that more urgent programs leave. */
#ifndef GIVEWAY_CPU_NARROW_H
#define GIVEWAY_CPU_NARROW_H

#include "giveway_hook.h"

/* Moves the calling thread, which is inside a region, to the cores that its task may use now, or
 * gives the thread back its own affinity. A signal handler may call this function. */
void gw_fit_thread(void);
/* Gives the calling thread back its own affinity. */
void gw_widen_thread(void);
/* The same in a child, which has no other thread. */
void gw_narrow_fork_child(void);
/* Whether the affinity of any thread is not its own. */
int gw_any_narrow(void);
/* The watcher's look: whether the threads must fit themselves again. */
int gw_room_changed(const gw_task *task);

#endif
