/* A job with two members, for the tests of jobs. */
#ifndef GIVEWAY_TEST_JOBS_H
#define GIVEWAY_TEST_JOBS_H

#include "program.h"

static void begin(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
}

static void launch(gw_task *task) {
  gw_begin(task);
  gw_end(task);
}

static bool closed(struct program *program) { return info_of_program(program).gate_closed; }

static bool may_launch(struct program *program) {
  ask(program, launch);
  return finished(program);
}

/* Two members, each on a device of its own. */
static void start_job(struct program *members[2], int priority) {
  members[0] = start_on("first", "job", priority);
  members[1] = start_on("second", "job", priority);
  clock_settle();
}

static void collective(gw_task *task) {
  gw_admit(task);
  gw_collective(task);
}

#endif
