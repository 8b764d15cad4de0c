#include "stream_gate.h"

#include <pthread.h>

#include "../gate/number.h"
#include "capture.h"
#include "count.h"

/* A gate costs about 2 us of device time on an H200, so that this is under 1 %. */
#define DEFAULT_SPACING_US 250
/* Beside a task that preempts this one every now and then, its short wait is worth 2 %. */
#define CLOSE_SPACING_US 100

static uint64_t spacing_ns, close_spacing_ns;
static unsigned in_graphs;
static pthread_once_t read_once = PTHREAD_ONCE_INIT;

static void read_settings(void) {
  double us = gw_environment_number("GIVEWAY_STREAM_GATE_US", 1e9, -1), close_us = us;
  if (us < 0) {
    us = gw_driver_gates_by_default ? DEFAULT_SPACING_US : 0;
    close_us = gw_driver_gates_by_default ? CLOSE_SPACING_US : 0;
  }
  spacing_ns = (uint64_t)(us * 1000);
  close_spacing_ns = (uint64_t)(close_us * 1000);
  in_graphs = (unsigned)gw_environment_integer("GIVEWAY_GRAPH_GATE_EVERY", 0, 1000000, 0);
}

bool gw_stream_gates_wanted(void) {
  pthread_once(&read_once, read_settings);
  return spacing_ns != 0;
}

unsigned gw_stream_gates_in_graphs(void) { return gw_stream_gates_wanted() ? in_graphs : 0; }

uint64_t gw_stream_gates_spacing(const struct gw_stream_gate *gate) {
  return gate->preempted_lately ? close_spacing_ns : spacing_ns;
}

bool gw_stream_gates_ready(const struct gw_stream_gates *gates, const struct gw_stream_gate *gate) {
  return gates->state == GW_GATE_WORKS && gates->word == gate->word;
}

/* No registration while any thread captures. A task that was lost may come back in another row,
 * with another word. */
bool gw_stream_gates_try(struct gw_stream_gates *gates, const struct gw_stream_gate *gate) {
  if (gates->state == GW_GATE_TRYING || gates->state == GW_GATE_FAILED ||
      gw_stream_gates_ready(gates, gate) || atomic_load(&gw_captures) != 0) {
    return false;
  }
  gates->state = GW_GATE_TRYING;
  return true;
}

gw_word gw_stream_gates_register(const struct gw_stream_gate *gate) {
  return gw_driver_gate_register(gate->page, gate->page_size, gate->word);
}

void gw_stream_gates_registered(struct gw_stream_gates *gates, const struct gw_stream_gate *gate,
                                gw_word address) {
  gates->address = address;
  gates->word = gate->word;
  gates->state = address != 0 ? GW_GATE_WORKS : GW_GATE_FAILED;
}

bool gw_stream_gates_put(gw_word stream, gw_word address, uint32_t open) {
  bool put = gw_driver_gate_wait(stream, address, open);
  if (put) {
    gw_count(GW_STREAM_GATES, 1);
  }
  return put;
}
