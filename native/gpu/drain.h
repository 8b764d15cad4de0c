/* How fast the device gets a context's work done: the time of its kernels, each as long as it is
 * estimated, for the time that has passed. The rate is 1 where one kernel runs at a time, and N
 * where N of them run side by side without getting slower. Kernels that slow each other down are
 * measured as longer, and the rate is in terms of these times. */
#ifndef GIVEWAY_GPU_DRAIN_H
#define GIVEWAY_GPU_DRAIN_H

#include <stdint.h>

#include "driver.h"

/* Under the lock of the windows. Never more than the work of the most recent milliseconds. */
struct gw_drain {
  gw_word since; /* the latest event up to which work has been counted; 0: none */
  uint64_t work, elapsed;
  uint64_t longest; /* that has been counted of late behind one event */
};

/* Work has been done in the time that has passed since the event. */
void gw_drain_add(struct gw_drain *drain, uint64_t work, uint64_t elapsed);
/* Work has got shorter by that part of its estimate, in terms of which the rate was measured. */
void gw_drain_shrink(struct gw_drain *drain, double part);
/* How much estimated time on so many streams the device gets done in `ns`. */
uint64_t gw_drain_work(const struct gw_drain *drain, unsigned streams, uint64_t ns);
/* The number of kernels of `ns` that run at a time; 1 where the rate is that of shorter ones. */
uint64_t gw_drain_kernels(const struct gw_drain *drain, unsigned streams, uint64_t ns);

#endif
