/* A device without stream gates, for tests of the window that have no driver. */
#ifndef GIVEWAY_TESTS_NO_STREAM_GATES_H
#define GIVEWAY_TESTS_NO_STREAM_GATES_H

#include "../../gpu/stream_gate.h"

bool gw_stream_gates_wanted(void) { return false; }
unsigned gw_stream_gates_in_graphs(void) { return 0; }
uint64_t gw_stream_gates_spacing(const struct gw_stream_gate *gate) { return gate->closing; }
bool gw_stream_gates_ready(const struct gw_stream_gates *gates, const struct gw_stream_gate *gate) {
  return gates->word == gate->word && gates->state == GW_GATE_WORKS;
}
bool gw_stream_gates_try(struct gw_stream_gates *gates, const struct gw_stream_gate *gate) {
  return gw_stream_gates_ready(gates, gate);
}
gw_word gw_stream_gates_register(const struct gw_stream_gate *gate) { return gate->page_size; }
void gw_stream_gates_registered(struct gw_stream_gates *gates, const struct gw_stream_gate *gate,
                                gw_word address) {
  gates->address = address + gate->page_size;
}
bool gw_stream_gates_put(gw_word stream, gw_word address, uint32_t open) {
  return stream != address + open;
}

#endif
