/* Functions that came with CUDA 13.1 to 13.5. */
#include "cuda_harness.h"

static void *copy_in_thread(void *argument) {
  static char from[16] = "copied", to[16];
  struct waiter *w = argument;
  CHECK(cuCtxSetCurrent(w->context) == 0);
  atomic_store(&w->state, 1);
  CHECK(cuMemcpyWithAttributesAsync((CUdeviceptr)to, (CUdeviceptr)from, sizeof to, NULL,
                                    w->stream) == 0);
  CHECK(cuStreamSynchronize(w->stream) == 0 && strcmp(to, "copied") == 0);
  atomic_store(&w->state, 2);
  return NULL;
}

static void copies_with_attributes_are_held(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  struct waiter w = {.function = kernel("ns_0")};
  CHECK(cuStreamCreate(&w.stream, 1) == 0 && cuCtxGetCurrent(&w.context) == 0);
  CHECK(launch(w.function, w.stream) == 0);
  gw_task *urgent = rival();
  gw_begin(urgent);
  pthread_t thread;
  pthread_create(&thread, NULL, copy_in_thread, &w);
  CHECK(somebody_waits(DEVICE));
  CHECK(atomic_load(&w.state) == 1 && fake_calls("cuMemcpyWithAttributesAsync") == 0);
  gw_end(urgent);
  gw_idle(urgent);
  pthread_join(thread, NULL);
  CHECK(atomic_load(&w.state) == 2 && own_task().held == 1);
}

/* A query would break the capture, and what is recorded passes a closed gate. */
static void is_not_disturbed(int (*begin)(CUstream), int (*end)(CUstream)) {
  setenv("GIVEWAY_LINGER_MS", "500", 1); /* the watcher does not query before that */
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  CUstream stream;
  CUfunction f = kernel("ns_1000");
  CHECK(cuStreamCreate(&stream, 1) == 0 && launch(f, stream) == 0);
  gw_task *urgent = rival();
  CHECK(begin(stream) == 0);
  gw_begin(urgent);
  CHECK(launch(f, stream) == 0);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(until(!own_task().active, 30000));
  CHECK(end(stream) == 0);
}

static int begin_again(CUstream stream) {
  return cuStreamBeginRecaptureToGraph(stream, 0, NULL, NULL, NULL);
}

static int end(CUstream stream) {
  CUgraph graph;
  return cuStreamEndCapture(stream, &graph);
}

static int begin_for_client(CUstream stream) { return cuStreamBeginCaptureToCig(stream, NULL); }

static void a_second_capture_of_a_graph_is_not_disturbed(void) {
  is_not_disturbed(begin_again, end);
}

static void a_capture_for_a_graphics_client_is_not_disturbed(void) {
  is_not_disturbed(begin_for_client, cuStreamEndCaptureToCig);
}

static const struct test_case cases[] = {
    {"copies with attributes are held", copies_with_attributes_are_held},
    {"a second capture of a graph is not disturbed", a_second_capture_of_a_graph_is_not_disturbed},
    {"a capture for a graphics client is not disturbed",
     a_capture_for_a_graphics_client_is_not_disturbed},
};
RUN_CASES(cases, 240)
