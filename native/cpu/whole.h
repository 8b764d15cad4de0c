/* The gate of a whole process, for programs whose work does not come in regions. */
#ifndef GIVEWAY_CPU_WHOLE_H
#define GIVEWAY_CPU_WHOLE_H

#include <stdbool.h>

/* Whether the gate stops the whole process (GIVEWAY_WHOLE_PROCESS). */
extern bool gw_whole_process;

/* Whether any thread but the calling one runs, or waits for a core. */
bool gw_any_thread_runs(void);
/* Runs on the watcher's thread: makes every thread that runs, or waits for a core, look at the
 * gate. */
void gw_stop_process(void);

#endif
