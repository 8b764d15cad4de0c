/* Kernels on eight streams beside a more urgent task, on a device that runs all of them at a time.
 * test_side_by_side.c has the bounds, on the clock of the test. */
#include "cuda_harness.h"

#define STREAMS 8

static void as_many_are_in_flight_as_run_at_a_time(void) {
  CUstream streams[STREAMS];
  setenv("GIVEWAY_FAKE_STREAMS", "8", 1);
  start_cuda();
  for (int i = 0; i < STREAMS; i++) {
    CHECK(cuStreamCreate(&streams[i], 1) == 0);
  }
  CUfunction work = kernel("ns_200000");
  rival(); /* idle: the gate is open, and the window limits what is in flight */
  bool found = false;
  for (unsigned i = 0; i < 100000 && !found; i++) {
    CHECK(launch(work, streams[i % STREAMS]) == 0);
    found = fake_in_flight_ns() >= STREAMS * 200 * US;
  }
  CHECK(found);
}

static const struct test_case cases[] = {
    {"as many are in flight as run at a time", as_many_are_in_flight_as_run_at_a_time},
};
RUN_CASES(cases, 120)
