/* Which streams the watcher asks the driver about, and when it does not ask. */
#include "cuda_harness.h"

static _Atomic uint32_t word;

static uint64_t queries(void) { return fake_calls("cuStreamQuery"); }
static bool becomes_idle(void) { return until(!own_task().active, 30000); }

/* Until word is 1 the device is not done. */
static void keep_busy(CUstream stream) {
  CHECK(cuStreamWaitValue32_v2(stream, (CUdeviceptr)&word, 1, 0) == 0);
  CHECK(launch(kernel("ns_1000"), stream) == 0);
}

/* Its memory is somebody else's by now. */
static void no_stream_that_was_destroyed(void) {
  setenv("GIVEWAY_LINGER_MS", "500", 1); /* the watcher does not ask before that */
  start_cuda();
  CUstream stream;
  CUfunction f = kernel("ns_1000");
  CHECK(launch(f, NULL) == 0 && becomes_idle() && queries() > 0);
  CHECK(cuStreamCreate(&stream, 1) == 0 && launch(f, stream) == 0);
  CHECK(cuStreamDestroy_v2(stream) == 0);
  uint64_t before = queries();
  CHECK(becomes_idle() && queries() == before);
}

/* That would end the capture. */
static void no_stream_that_is_being_captured(void) {
  setenv("GIVEWAY_LINGER_MS", "500", 1);
  start_cuda();
  CUstream stream;
  CUgraph graph;
  CHECK(cuStreamCreate(&stream, 1) == 0 && launch(kernel("ns_1000"), stream) == 0);
  CHECK(cuStreamBeginCapture_v2(stream, 0) == 0);
  CHECK(becomes_idle());
  CHECK(cuStreamEndCapture(stream, &graph) == 0);
}

static void a_capture_that_could_not_begin_is_none(void) {
  setenv("GIVEWAY_FAKE_ERRORS", "cuStreamBeginCapture_v2=900", 1);
  start_cuda();
  CUstream stream;
  CHECK(cuStreamCreate(&stream, 1) == 0 && cuStreamBeginCapture_v2(stream, 0) == 900);
  keep_busy(stream);
  await_watcher();
  CHECK(own_task().active);
  atomic_store(&word, 1);
  CHECK(cuCtxSynchronize() == 0);
}

/* Registered before the driver's handlers, so it runs after them. */
static void after_the_drivers_handlers(void) {
  uint64_t before = queries();
  CHECK(becomes_idle() && queries() == before);
  _exit(0);
}

static void nothing_at_the_end_of_the_process(void) {
  CHECK(atexit(after_the_drivers_handlers) == 0);
  start_cuda();
  keep_busy(NULL);
  await_watcher();
  CHECK(own_task().active && queries() > 0);
  exit(1);
}

/* As the first launch of a kernel that the driver loads only then. */
static void become_idle_during_the_call(void) { CHECK(becomes_idle()); }

static void a_launch_that_takes_long_is_submitted_by_an_active_task(void) {
  start_cuda();
  void *fake = dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY);
  void (*during)(const char *, void (*)(void)) =
      (void (*)(const char *, void (*)(void)))dlsym(fake, "fake_during");
  CHECK(during != NULL);
  during("cuLaunchKernel", become_idle_during_the_call);
  CHECK(launch(kernel(FOR_EVER), NULL) == 0 && own_task().active);
  await_watcher();
  CHECK(own_task().active);
}

static const struct test_case cases[] = {
    {"no stream that was destroyed", no_stream_that_was_destroyed},
    {"no stream that is being captured", no_stream_that_is_being_captured},
    {"a capture that could not begin is none", a_capture_that_could_not_begin_is_none},
    {"a launch that takes long", a_launch_that_takes_long_is_submitted_by_an_active_task},
    {"nothing at the end of the process", nothing_at_the_end_of_the_process},
};
RUN_CASES(cases, 240)
