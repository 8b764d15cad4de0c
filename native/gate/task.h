/* The rows of this process's tasks. */
#ifndef GIVEWAY_TASK_H
#define GIVEWAY_TASK_H

#include "state.h"

/* Under gw_process.lock: takes a row of the page for the task. */
int gw_row_take(struct gw_page *page, struct gw_task *task);
/* Under gw_process.lock: the same for a task that has lost its row. */
int gw_row_retake(struct gw_task *task);
/* Takes another row for a task that has lost its own: for the rest of the library, and for other
 * processes, a new task. Threads that hold the old seat notice, and go on. */
int gw_rejoin(struct gw_task *task);
/* Under gw_process.lock: frees the task's row. False where the page's lock is not free in time; the
 * caller must try again, because the row would stay until this process ends and might hold other
 * tasks. */
bool gw_row_give_back(struct gw_task *task);
/* The same without a trace. */
bool gw_row_leave(struct gw_task *task);
/* Under gw_process.lock: counts one task more, or less (by = -1). */
void gw_count_task(const struct gw_task *task, uint32_t by);
/* For the watcher, around a call of a function of the hook: without gw_process.lock, because a
 * driver may block in it. The task may leave meanwhile, and is not freed. */
void gw_task_pin(struct gw_task *task);
void gw_task_unpin(struct gw_task *task);
/* What the hook's busy function says; pins the task. */
int gw_task_is_busy(struct gw_task *task);
/* Under gw_process.lock: frees tasks that could not leave earlier. True: some still cannot leave.
 */
bool gw_sweep(void);

#endif
