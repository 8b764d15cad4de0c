/* Bounds the device time that a task has in flight, so that it can give way soon. Only for tasks
 * that another task may outrank: the most urgent task does not come here. */
#ifndef GIVEWAY_GPU_WINDOW_H
#define GIVEWAY_GPU_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "giveway_hook.h"

struct gw_window;

/* One launch on its way through the window. */
struct gw_window_call {
  struct gw_window *window; /* NULL: not limited */
  gw_word stream;
  uint64_t key;
  uint64_t ns;    /* the estimate of its device time */
  gw_word before; /* the event in front of it; 0: not timed */
  bool timed;
  bool gated;  /* the device holds the launch: the window does not count it */
  bool behind; /* the launch gets a stream gate in front of it */
  bool ahead;  /* the task's gate is closed: the device holds it, and the program goes on */
};

/* Returns when the launch fits into the window, or when the window is suspended. The length of a
 * graph has no limit, so every graph gets a stream gate in front of it. */
void gw_window_wait(gw_task *task, gw_word stream, uint64_t key, bool graph,
                    struct gw_window_call *call);
/* Right before and right after the launch is submitted. */
void gw_window_open(struct gw_window_call *call);
void gw_window_close(struct gw_window_call *call, bool submitted);

/* Before a capture begins, and before each launch that a capture records: graphs get gates too, if
 * the user asks for them. */
void gw_window_capture_begin(gw_task *task);
void gw_window_captured(gw_task *task, gw_word stream);
/* Opens the stream gates by way of the devices. */
void gw_window_release(void);
/* Forgets the marks of a stream that is destroyed or captured. */
void gw_window_forget_stream(gw_word stream);
void gw_window_forget_all(void);
/* Forgets how long work of that kind takes: its handle has gone, or stands for other work by now.
 */
void gw_window_forget_kind(uint64_t key);
/* The same for all kinds: code has been unloaded, and only the driver knows which. */
void gw_window_forget_kinds(void);

#endif
