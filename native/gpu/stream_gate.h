/* Stream gates: the device itself waits for the task's gate, between submitted kernels. */
#ifndef GIVEWAY_GPU_STREAM_GATE_H
#define GIVEWAY_GPU_STREAM_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "giveway_hook.h"

/* Of one context, under the lock of the windows. */
struct gw_stream_gates {
  enum { GW_GATE_UNTRIED = 0, GW_GATE_TRYING, GW_GATE_WORKS, GW_GATE_FAILED } state;
  const void *word;  /* the task's word, when its page was registered */
  gw_word address;   /* of that word, for the device; 0: none */
  unsigned captured; /* launches since the last gate in a graph */
};

/* Whether the user wants stream gates. */
bool gw_stream_gates_wanted(void);
/* The number of launches in a graph for each gate in it; 0: no gates in graphs. */
unsigned gw_stream_gates_in_graphs(void);
/* The device time between two gates on a stream, in nanoseconds: less for a task that has been
 * preempted lately and will be again. */
uint64_t gw_stream_gates_spacing(const struct gw_stream_gate *gate);

/* Whether the context's device knows the gate's word. */
bool gw_stream_gates_ready(const struct gw_stream_gates *gates, const struct gw_stream_gate *gate);
/* Whether the calling thread is to register the word: with gw_stream_gates_register outside the
 * lock, and then, under the lock, with gw_stream_gates_registered. */
bool gw_stream_gates_try(struct gw_stream_gates *gates, const struct gw_stream_gate *gate);
gw_word gw_stream_gates_register(const struct gw_stream_gate *gate);
void gw_stream_gates_registered(struct gw_stream_gates *gates, const struct gw_stream_gate *gate,
                                gw_word address);
/* Puts a gate on the stream; false: the device cannot. Outside the lock. */
bool gw_stream_gates_put(gw_word stream, gw_word address, uint32_t open);

#endif
