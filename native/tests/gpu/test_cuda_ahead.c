/* Behind a closed gate a program goes on, as far as it does not block inside the driver. */
#include "cuda_harness.h"

static gw_task *urgent;
static _Atomic uint32_t go;

/* A held program goes on submitting behind the gate, up to a limit. */
static void a_held_program_goes_on(CUstream stream) {
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  if (stream == (CUstream)-1) {
    CHECK(cuStreamCreate(&stream, 1) == 0);
  }
  CUfunction f = kernel("ns_1000000");
  urgent = rival();
  CHECK(launch(f, stream) == 0 && cuCtxSynchronize() == 0);
  gw_begin(urgent);
  uint64_t gates = fake_calls("cuStreamWaitValue32_v2");
  for (int i = 0; i < 256; i++) {
    CHECK(launch(f, stream) == 0);
  }
  CHECK(fake_calls("cuStreamWaitValue32_v2") > gates && until(fake_held(), 60000));
  CHECK(fake_in_flight_ns() == 256 * MS); /* none of it has begun */
  CHECK(own_task().held >= 256 && own_task().active);
  struct waiter one_more = {.function = f, .stream = stream};
  CHECK(cuCtxGetCurrent(&one_more.context) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, launch_in_thread, &one_more) == 0);
  CHECK(somebody_waits(DEVICE));
  CHECK(atomic_load(&one_more.state) == 1);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(pthread_join(thread, NULL) == 0 && cuCtxSynchronize() == 0);
}

static void ahead_on_the_null_stream(void) { a_held_program_goes_on(NULL); }
static void ahead_on_a_created_stream(void) { a_held_program_goes_on((CUstream)-1); }

static void *copy_in_thread(void *argument) {
  static char from[16], to[16];
  struct waiter *w = argument;
  CHECK(cuCtxSetCurrent(w->context) == 0);
  atomic_store(&w->state, 1);
  CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)to, from, sizeof to, w->stream) == 0);
  atomic_store(&w->state, 2);
  return NULL;
}

/* Inside the driver it might wait there, for pageable memory, while it holds locks. */
static void a_held_program_waits_at_its_copies(void) {
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  CUfunction f = kernel("ns_1000");
  urgent = rival();
  CHECK(launch(f, NULL) == 0 && cuCtxSynchronize() == 0);
  gw_begin(urgent);
  CHECK(launch(f, NULL) == 0);
  CHECK(cuMemsetD8Async((CUdeviceptr)&go, 0, sizeof go, NULL) == 0); /* goes on, as a launch */
  struct waiter copy = {.state = 0};
  CHECK(cuCtxGetCurrent(&copy.context) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, copy_in_thread, &copy) == 0);
  CHECK(somebody_waits(DEVICE) && atomic_load(&copy.state) == 1);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(pthread_join(thread, NULL) == 0 && cuCtxSynchronize() == 0);
}

/* What was queued before the gate closed counts too: the driver's queue is one. */
static void what_was_queued_before_counts(void) {
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  CUfunction f = kernel("ns_1000");
  urgent = rival();
  CHECK(launch(f, NULL) == 0 && cuCtxSynchronize() == 0);
  atomic_store(&go, 0);
  CHECK(cuStreamWaitValue32_v2(NULL, (CUdeviceptr)&go, 1, 0) == 0);
  for (int i = 0; i < 300; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  gw_begin(urgent);
  struct waiter one_more = {.function = f};
  CHECK(cuCtxGetCurrent(&one_more.context) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, launch_in_thread, &one_more) == 0);
  CHECK(somebody_waits(DEVICE) && atomic_load(&one_more.state) == 1);
  atomic_store(&go, 1);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(pthread_join(thread, NULL) == 0 && cuCtxSynchronize() == 0);
}

__attribute__((noinline)) static void dirty_the_stack(void) {
  volatile char noise[8192];
  for (unsigned i = 0; i < sizeof noise; i++) {
    noise[i] = -1;
  }
}

static void *launch_from_a_dirty_stack(void *waiter) {
  dirty_the_stack();
  return launch_in_thread(waiter);
}

/* Without a window there are no stream gates: a launch waits, whatever the uninitialised memory of
 * its call contains. */
static void without_a_window_a_launch_waits(void) {
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_WINDOW_US", "0", 1);
  start_cuda();
  struct waiter one = {.function = kernel("ns_1000")};
  urgent = rival();
  CHECK(launch(one.function, NULL) == 0 && cuCtxSynchronize() == 0);
  CHECK(cuCtxGetCurrent(&one.context) == 0);
  gw_begin(urgent);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, launch_from_a_dirty_stack, &one) == 0);
  CHECK(somebody_waits(DEVICE));
  CHECK(atomic_load(&one.state) == 1);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(pthread_join(thread, NULL) == 0 && atomic_load(&one.state) == 2);
}

static const struct test_case cases[] = {
    {"a held program goes on, NULL stream", ahead_on_the_null_stream},
    {"a held program goes on, created stream", ahead_on_a_created_stream},
    {"a held program waits at its copies", a_held_program_waits_at_its_copies},
    {"what was queued before counts", what_was_queued_before_counts},
    {"without a window a launch waits", without_a_window_a_launch_waits},
};
RUN_CASES(cases, 240)
