/* For `giveway trace`, on top of the counts: kernels by name, bytes, times, events. */
#ifndef GIVEWAY_GPU_TRACE_H
#define GIVEWAY_GPU_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "count.h"
#include "driver.h"

struct gw_traced {
  unsigned id; /* which function */
  enum gw_counted what;
  gw_word object; /* kernel or graph */
  uint64_t began_ns;
};

extern bool gw_tracing;

void gw_trace_begin(struct gw_traced *call, unsigned id, enum gw_counted what, gw_word object);
void gw_trace_end(struct gw_traced *call, int result);
/* Code is unloaded: another kernel may get the handle of one that has gone. */
void gw_trace_forget_kernels(void);

#endif
