/* When a task gives way, and when it holds others: streams, requests that wait more than once,
 * graphs, estimates. */
#include "../../gpu/estimate.h"
#include "cuda_harness.h"

static uint64_t gates(void) { return fake_calls("cuStreamWaitValue32_v2"); }

static CUfunction known(const char *name) {
  CUfunction f = kernel(name);
  make_known(f, 10);
  return f;
}

static void launch_on_both(CUfunction f, CUstream *streams, int launches) {
  for (int i = 0; i < launches; i++) {
    CHECK(launch(f, streams[i % 2]) == 0);
  }
  CHECK(cuCtxSynchronize() == 0);
}

/* Two held streams of a context would keep half of the device from the urgent program. */
static void several_streams_have_a_window(void) {
  start_cuda();
  rival();
  CUstream streams[2];
  CUfunction f = known("ns_100000");
  CHECK(cuStreamCreate(&streams[0], 1) == 0 && cuStreamCreate(&streams[1], 1) == 0);
  launch_on_both(f, streams, 2);
  uint64_t before = gates();
  launch_on_both(f, streams, 100);
  CHECK(gates() == before);
  /* One stream again, for a second. */
  CHECK(until(launch(f, streams[0]) == 0 && cuCtxSynchronize() == 0 && gates() > before, 30000));
}

/* The device holds none of its streams, so its thread waits. */
static void with_several_streams_a_held_thread_waits(void) {
  setenv("GIVEWAY_LINGER_MS", "1000000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  gw_task *urgent = rival();
  CUstream streams[2];
  CUfunction f = known("ns_1000");
  CHECK(cuStreamCreate(&streams[0], 1) == 0 && cuStreamCreate(&streams[1], 1) == 0);
  launch_on_both(f, streams, 2);
  gw_begin(urgent);
  struct waiter one = {.function = f, .stream = streams[0]};
  CHECK(cuCtxGetCurrent(&one.context) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, launch_in_thread, &one) == 0);
  CHECK(somebody_waits(DEVICE) && atomic_load(&one.state) == 1);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(pthread_join(thread, NULL) == 0 && atomic_load(&one.state) == 2);
  CHECK(cuCtxSynchronize() == 0);
}

static uint64_t activations(void) {
  char path[4096];
  CHECK(gw_page_path(DEVICE, path, sizeof path) == GW_OK);
  int fd = open(path, O_RDONLY);
  struct gw_page_layout *page = mmap(NULL, sizeof *page, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(fd >= 0 && page != MAP_FAILED);
  return atomic_load(&page->rows[own_task().row].activations);
}

/* A service that waits once a token: long gaps between its requests say nothing about the gaps in
 * them. */
static void a_request_that_waits_more_than_once_is_one_activation(void) {
  setenv("GIVEWAY_LINGER_MS", "1000000", 1);
  start_cuda();
  rival();
  CUfunction f = kernel("ns_1000");
  for (int request = 0; request < 3; request++) {
    sleep_ms(5);
    for (int wait = 0; wait < 4; wait++) {
      CHECK(launch(f, NULL) == 0 && cuCtxSynchronize() == 0);
    }
  }
  CHECK(activations() == 1);
}

static void it_becomes_idle_after_linger(void) {
  start_cuda();
  rival();
  CUfunction f = kernel("ns_1000");
  CHECK(launch(f, NULL) == 0 && cuCtxSynchronize() == 0);
  CHECK(until(!own_task().active, 30000));
}

static CUgraphExec graph_of(CUfunction f, CUstream stream) {
  CUgraph graph;
  CUgraphExec exec;
  CHECK(cuStreamBeginCapture_v2(stream, 0) == 0 && launch(f, stream) == 0);
  CHECK(cuStreamEndCapture(stream, &graph) == 0);
  CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0);
  return exec;
}

/* Every graph gets a gate, however short the last graph with its handle was. */
static void every_graph_is_behind_a_gate(void) {
  start_cuda();
  rival();
  CUstream stream;
  CHECK(cuStreamCreate(&stream, 1) == 0);
  CUgraphExec exec = graph_of(kernel("ns_1000"), stream);
  uint64_t before = gates();
  for (int i = 0; i < 10; i++) {
    CHECK(cuGraphLaunch(exec, stream) == 0);
  }
  CHECK(cuCtxSynchronize() == 0 && gates() == before + 10);
}

static void short_kernels_are_counted_too(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "1000000", 1); /* whatever they are measured to take */
  start_cuda();
  rival();
  CUfunction f = known("ns_100");
  uint64_t before = gates();
  for (int i = 0; i < 650; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(cuCtxSynchronize() == 0 && gates() >= before + 10);
}

/* However short it is: the one before may be over when the gate closes. */
static void the_first_launch_behind_a_closed_gate_is_behind_one(void) {
  setenv("GIVEWAY_LINGER_MS", "1000000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_STREAM_GATE_US", "1000000", 1);
  start_cuda();
  gw_task *urgent = rival();
  CUfunction f = known("ns_100");
  gw_begin(urgent);
  uint64_t before = gates();
  for (int i = 0; i < 3; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(gates() == before + 1 && until(fake_held(), 30000));
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(cuCtxSynchronize() == 0);
}

static void estimates(void) {
  static struct gw_estimates table;
  gw_estimate_learn(&table, 64, 1000);
  gw_estimate_learn(&table, 64, 9000);
  struct gw_estimate *entry = gw_estimate_find(&table, 64);
  CHECK(entry->longest_ns == 9000 && entry->ns == 3000); /* one counts at once, one by a quarter */
  gw_estimate_learn(&table, 64, 1000);
  CHECK(entry->longest_ns == 7000 && entry->ns == 1000);
  gw_estimate_forget(&table, 64);
  CHECK(gw_estimate_find(&table, 64)->ns == 0);
}

/* Whether a launch of the graph comes with an event. */
static bool records(CUgraphExec exec, CUstream stream) {
  uint64_t before = fake_calls("cuEventRecord");
  CHECK(cuGraphLaunch(exec, stream) == 0 && cuStreamSynchronize(stream) == 0);
  return fake_calls("cuEventRecord") > before;
}

/* Graphs come and go at one address, and are updated in place. */
static void a_changed_graph_is_unknown(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1);
  setenv("GIVEWAY_WINDOW_US", "1000", 1);
  start_cuda();
  rival();
  CUstream stream;
  CHECK(cuStreamCreate(&stream, 1) == 0);
  CUgraphExec exec = graph_of(kernel("ns_1"), stream);
  CHECK(until(!records(exec, stream), 30000)); /* its time is known */
  CUgraphExec old = exec;
  CHECK(cuGraphExecDestroy(exec) == 0);
  for (int i = 0; i < 100 && (i == 0 || exec != old); i++) { /* until one has the address */
    exec = graph_of(kernel("ns_1"), stream);
  }
  CHECK(exec == old && records(exec, stream));
}

static const struct test_case cases[] = {
    {"several streams have a window", several_streams_have_a_window},
    {"with several streams a held thread waits", with_several_streams_a_held_thread_waits},
    {"a request that waits more than once", a_request_that_waits_more_than_once_is_one_activation},
    {"idle after linger", it_becomes_idle_after_linger},
    {"every graph is behind a gate", every_graph_is_behind_a_gate},
    {"short kernels are counted too", short_kernels_are_counted_too},
    {"the first launch behind a closed gate", the_first_launch_behind_a_closed_gate_is_behind_one},
    {"estimates", estimates},
    {"a changed graph is unknown", a_changed_graph_is_unknown},
};
RUN_CASES(cases, 60)
