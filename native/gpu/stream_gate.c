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

uint64_t gw_stream_gates_spacing(const struct gw_stream_gates *gates) {
  return gates->of.preempted_lately ? close_spacing_ns : spacing_ns;
}

unsigned gw_stream_gates_in_graphs(void) {
  pthread_once(&read_once, read_settings);
  return spacing_ns != 0 ? in_graphs : 0;
}

bool gw_stream_gates_ready(struct gw_stream_gates *gates, gw_task *task) {
  pthread_once(&read_once, read_settings);
  if (spacing_ns == 0 || gates->state == GW_GATE_FAILED || !gw_stream_gate(task, &gates->of)) {
    return false;
  }
  if (gates->state == GW_GATE_WORKS && gates->word == gates->of.word) {
    return true;
  }
  if (atomic_load(&gw_captures) != 0) {
    return false; /* no registration while any thread captures */
  }
  gw_word address = gw_driver_gate_register(gates->of.page, gates->of.page_size, gates->of.word);
  atomic_store(&gates->address, address);
  gates->word = gates->of.word; /* a task that was lost may come back in another row */
  gates->state = address != 0 ? GW_GATE_WORKS : GW_GATE_FAILED;
  return address != 0;
}

void gw_stream_gates_wait(struct gw_stream_gates *gates, gw_word stream) {
  if (!gw_driver_gate_wait(stream, atomic_load(&gates->address), gates->of.open)) {
    gates->state = GW_GATE_FAILED; /* the window takes over */
  } else {
    gw_count(GW_STREAM_GATES, 1);
  }
}
