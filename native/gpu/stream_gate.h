/* Stream gates: the device itself waits for the task's gate, between submitted kernels. */
#ifndef GIVEWAY_GPU_STREAM_GATE_H
#define GIVEWAY_GPU_STREAM_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "giveway_hook.h"

/* Of one context. */
struct gw_stream_gates {
  enum { GW_GATE_UNTRIED = 0, GW_GATE_WORKS, GW_GATE_FAILED } state;
  const void *word;         /* the task's word, when its page was registered */
  _Atomic gw_word address;  /* of that word, for the device */
  struct gw_stream_gate of; /* the task's gate */
  unsigned captured;        /* launches since the last gate in a graph */
};

/* Whether the current context's device can wait for the gate of the task. Called before each
 * launch, under the window's lock. */
bool gw_stream_gates_ready(struct gw_stream_gates *gates, gw_task *task);
/* Puts a gate on the stream. */
void gw_stream_gates_wait(struct gw_stream_gates *gates, gw_word stream);
/* The number of launches in a graph for each gate in it; 0: no gates in graphs. */
unsigned gw_stream_gates_in_graphs(void);
/* The device time between two gates on a stream, in nanoseconds: less for a task that has been
 * preempted lately and will be again. */
uint64_t gw_stream_gates_spacing(const struct gw_stream_gates *gates);

#endif
