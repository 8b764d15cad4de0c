/* Work on its way to the device: decided under the lock of the windows, submitted without it, and
 * settled under the lock again. Only the work of a task that another may outrank waits, and behind
 * a closed gate the device waits instead where it can. */
#ifndef GIVEWAY_GPU_SUBMIT_H
#define GIVEWAY_GPU_SUBMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "giveway_hook.h"
#include "window.h"

enum gw_work {
  GW_KERNEL,
  GW_GRAPH,  /* its length has no limit: it gets a gate in front of it whatever its estimate */
  GW_MEMSET, /* as a copy, but the program never waits inside the driver for its turn */
  GW_COPY,   /* by another engine of the device, perhaps beside the kernels */
};

struct gw_submission {
  struct gw_window *window; /* NULL: neither limited nor timed */
  gw_word stream, id;       /* id: of the stream; other threads' per-thread streams have others */
  uint64_t key;
  uint64_t ns;           /* the estimate of its device time */
  gw_word before, after; /* events; 0: to be made, or none */
  gw_word address;       /* of the gate's word */
  uint32_t open;
  uint64_t closing; /* of the task's gate; 0: open */
  bool timed;       /* with an event in front of it */
  bool marked;      /* with an event behind it */
  bool counted;     /* as in flight */
  bool limited;     /* by the window */
  bool first;       /* ... and alone in it */
  bool behind;      /* with a stream gate in front of it */
  bool ahead;       /* the task's gate is closed: the device holds it, and the program goes on */
};

/* Admits the work: returns when it may be submitted, with what belongs in front of it submitted.
 * gw_submit_end comes after it. outranked: by another task. */
void gw_submit_begin(struct gw_windows *windows, gw_task *task, bool outranked, enum gw_work work,
                     struct gw_submission *submission);
void gw_submit_end(struct gw_submission *submission, bool submitted);

/* Before a capture begins, and before each launch that a capture records: graphs get gates too, if
 * the user asks for them. */
void gw_submit_capture_begin(struct gw_windows *windows, gw_task *task);
void gw_submit_captured(struct gw_windows *windows, gw_task *task, gw_word stream);

#endif
