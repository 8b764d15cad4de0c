/* The bounds on what a context has in flight, for work that the device does not hold at a gate. */
#ifndef GIVEWAY_GPU_ROOM_H
#define GIVEWAY_GPU_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "giveway_hook.h"
#include "window.h"

/* The bound in nanoseconds; 0: the user wants none. */
uint64_t gw_room_size(void);
/* The estimated time of what fits into the window: more where work runs side by side. */
uint64_t gw_room_of(const struct gw_window *window);
/* A piece of work that is to be submitted. */
struct gw_piece {
  gw_word stream, id; /* id: of the stream */
  uint64_t ns;        /* the estimate of its time */
  bool known;         /* it has been measured */
};
/* Waits until the piece fits into the window, or until the task's gate is closed: then the work
 * waits there. With the lock held, which is released meanwhile. False: the window is suspended, so
 * that the work is not counted. task: NULL if the device cannot hold it. */
bool gw_room_make(struct gw_window *window, gw_task *task, struct gw_piece piece);
/* For a task that no other task outranks: waits, for 100 ms at most, while the context and the
 * stream are far ahead of the device. After a wait in vain, launches on the stream do not wait
 * until the device has caught up with it. */
void gw_room_await_ahead(struct gw_window *window, gw_word id);

#endif
