/* The cpu device can stop what already runs: a region that began before the gate closed. */
#ifndef GIVEWAY_CPU_INTERRUPT_H
#define GIVEWAY_CPU_INTERRUPT_H

#include <signal.h>

typedef void (*body_fn)(void *);

/* A region's body with its threads known while they are inside. */
struct gw_body {
  body_fn body;
  void *data;
  int cpu; /* where the thread runs that launched it */
};
void gw_run_body(void *gw_body);

/* The calling thread is inside an admitted region, whichever runtime's. */
extern _Thread_local volatile sig_atomic_t gw_computing;

/* Moves the calling thread to another core, if it may run on any. */
void gw_step_off(int cpu);

/* Once, at the first region. */
void gw_interrupt_setup(void);

#endif
