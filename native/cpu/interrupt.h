/* The cpu device can stop running work: a region that began before the gate closed. */
#ifndef GIVEWAY_CPU_INTERRUPT_H
#define GIVEWAY_CPU_INTERRUPT_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "giveway_hook.h"
#include "runtime.h"

typedef void (*body_fn)(void *);

/* Runs a region's body, and registers the calling thread meanwhile. */
struct gw_body {
  body_fn body;
  void *data;
  int cpu; /* the core of the thread that launched the region */
  const struct runtime *runtime;
  gw_task *task;
  unsigned team; /* threads, once the body has begun */
};
void gw_run_body(void *gw_body);

/* Whether the calling thread is inside an admitted region of any runtime. */
extern _Thread_local volatile sig_atomic_t gw_computing;

/* Moves the calling thread to another core, if its affinity allows one. */
void gw_step_off(int cpu);

/* Installs the signal handler, once, at the first region. */
void gw_interrupt_setup(void);
/* Makes the threads inside regions look at their gate, or all that run where the gate stops the
 * whole process. */
void gw_stop_threads(void);
/* Whether running work can be stopped: the handler is still ours, and threads do not block the
 * signal. */
bool gw_interrupt_works(void);
/* A region that cannot be stopped was seen. */
extern _Atomic bool gw_unstoppable_seen;

#endif
