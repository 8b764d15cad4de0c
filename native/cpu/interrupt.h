/* The cpu device can stop what already runs: a region that began before the gate closed. */
#ifndef GIVEWAY_CPU_INTERRUPT_H
#define GIVEWAY_CPU_INTERRUPT_H

typedef void (*body_fn)(void *);

/* A region's body with its threads known while they are inside. */
struct gw_body {
  body_fn body;
  void *data;
};
void gw_run_body(void *gw_body);

/* Once, at the first region. */
void gw_interrupt_setup(void);

#endif
