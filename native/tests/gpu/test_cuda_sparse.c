/* A task that nobody outranks: what it has submitted when a more urgent one comes. */
#include "cuda_harness.h"

#define SPARSE_MS 10 /* the device time between two gates */
#define AHEAD_MS 100 /* and what may be in flight where there are none */

static _Atomic uint32_t go;

static uint64_t gates(void) { return fake_calls("cuStreamWaitValue32_v2"); }

/* Nothing that is submitted from now on begins before let_go. */
static void stop(CUstream stream) {
  atomic_store(&go, 0);
  CHECK(cuStreamWaitValue32_v2(stream, (CUdeviceptr)&go, 1, 0) == 0);
}

static void let_go(void) { atomic_store(&go, 1); }

/* The device time that runs after the first urgent task has closed the gate. */
static uint64_t residue_of(uint64_t submitted) {
  CHECK(fake_in_flight_ns() == submitted);
  gw_begin(rival());
  let_go();
  CHECK(until(fake_held(), 60000));
  return submitted - fake_in_flight_ns();
}

/* The device begins when all of them are there, so that each takes exactly as long as it should. */
static CUfunction known_kernel(const char *name, CUstream stream) {
  CUfunction f = kernel(name);
  stop(stream);
  for (int i = 0; i < 4; i++) {
    CHECK(launch(f, stream) == 0);
  }
  let_go();
  CHECK(cuCtxSynchronize() == 0);
  return f;
}

static void start_patiently(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_LINGER_MS", "1000000", 1);
  start_cuda();
}

static void cold_start_of(const char *name, uint64_t ns, int launches) {
  start_patiently();
  CUfunction f = known_kernel(name, NULL);
  stop(NULL);
  for (int i = 0; i < launches; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  uint64_t residue = residue_of((uint64_t)launches * ns);
  CHECK(residue <= (ns > SPARSE_MS * MS ? ns : SPARSE_MS * MS));
}

static void cold_start_20_us(void) { cold_start_of("ns_20000", 20 * US, 1000); }
static void cold_start_200_us(void) { cold_start_of("ns_200000", 200 * US, 1000); }
static void cold_start_2_ms(void) { cold_start_of("ns_2000000", 2 * MS, 300); }
static void cold_start_20_ms(void) { cold_start_of("ns_20000000", 20 * MS, 30); }

/* None of them has run before, so nothing is known about them. */
static void cold_start_of_unknown_kernels(void) {
  start_patiently();
  CUfunction f = kernel("ns_2000000");
  stop(NULL);
  for (int i = 0; i < 300; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(residue_of(600 * MS) <= SPARSE_MS * MS);
}

/* However short they are thought to be. */
static void cold_start_of_kernels_that_have_become_longer(void) {
  start_patiently();
  CUfunction f = known_kernel("ns_100", NULL);
  uint64_t before = gates();
  stop(NULL);
  for (int i = 0; i < 2100; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(gates() - before >= 3); /* the test's own, and one for every 1024 */
  let_go();
  CHECK(cuCtxSynchronize() == 0);
}

static void cold_start_on_a_per_thread_stream(void) {
  start_patiently();
  CUstream stream = (CUstream)2;
  CUfunction f = known_kernel("ns_2000000", stream);
  stop(stream);
  for (int i = 0; i < 300; i++) {
    CHECK(launch(f, stream) == 0);
  }
  CHECK(residue_of(600 * MS) <= SPARSE_MS * MS);
}

static CUgraphExec graph_of(CUfunction f, CUstream stream) {
  CUgraph graph;
  CUgraphExec exec;
  CHECK(cuStreamBeginCapture_v2(stream, 0) == 0 && launch(f, stream) == 0);
  CHECK(cuStreamEndCapture(stream, &graph) == 0);
  CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0);
  return exec;
}

static void cold_start_of_graphs(void) {
  start_patiently();
  CUstream stream;
  CHECK(cuStreamCreate(&stream, 1) == 0);
  CUgraphExec exec = graph_of(kernel("ns_20000000"), stream);
  stop(stream);
  for (int i = 0; i < 30; i++) {
    CHECK(cuGraphLaunch(exec, stream) == 0);
  }
  CHECK(residue_of(600 * MS) <= 20 * MS);
}

static char there[4 << 20], here[4 << 20];

static void copies(CUstream stream, int count) {
  for (int i = 0; i < count; i++) {
    CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)there, here, sizeof here, stream) == 0);
  }
}

static void memsets(CUstream stream, int count) {
  for (int i = 0; i < count; i++) {
    CHECK(cuMemsetD8Async((CUdeviceptr)there, 1, sizeof there, stream) == 0);
  }
}

/* 1 ms for each. */
static void cold_start_of_copies(void (*submit)(CUstream, int)) {
  setenv("GIVEWAY_FAKE_COPY_NS", "250", 1);
  start_patiently();
  submit(NULL, 2);
  CHECK(cuCtxSynchronize() == 0);
  stop(NULL);
  submit(NULL, 300);
  CHECK(residue_of(300 * 4096 * 250) <= SPARSE_MS * MS);
}

static void cold_start_copies(void) { cold_start_of_copies(copies); }
static void cold_start_memsets(void) { cold_start_of_copies(memsets); }

/* Short ones say nothing about long ones. */
static void cold_start_of_long_copies_after_short_ones(void) {
  setenv("GIVEWAY_FAKE_COPY_NS", "250", 1);
  start_patiently();
  for (int i = 0; i < 10; i++) {
    CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)there, here, 64, NULL) == 0 && cuCtxSynchronize() == 0);
  }
  stop(NULL);
  copies(NULL, 300);
  CHECK(residue_of(300 * 4096 * 250) <= SPARSE_MS * MS);
}

/* 0.02 % of the device's time. */
static void gates_are_sparse(void) {
  start_patiently();
  CUfunction f = known_kernel("ns_20000", NULL);
  uint64_t before = gates();
  stop(NULL);
  for (int i = 0; i < 4000; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  uint64_t found = gates() - before - 1;
  let_go();
  CHECK(found >= 7 && found <= 9); /* one every 500 */
  CHECK(cuCtxSynchronize() == 0);
}

/* Two held streams would cost the urgent task half of the device, for longer. */
static void several_streams_have_no_gates(void) {
  start_patiently();
  CUstream streams[2];
  CUfunction f = known_kernel("ns_2000000", NULL);
  CHECK(cuStreamCreate(&streams[0], 1) == 0 && cuStreamCreate(&streams[1], 1) == 0);
  CHECK(launch(f, streams[0]) == 0 && launch(f, streams[1]) == 0);
  uint64_t before = gates();
  for (int i = 0; i < 20; i++) {
    CHECK(launch(f, streams[i % 2]) == 0);
  }
  CHECK(gates() == before && cuCtxSynchronize() == 0);
}

/* The most device time that is in flight while a second of work is submitted. */
static uint64_t most_in_flight(CUfunction f, const CUstream *streams, int count) {
  uint64_t most = 0;
  for (int i = 0; i < 500; i++) {
    CHECK(launch(f, streams[i % count]) == 0);
    uint64_t now = fake_in_flight_ns();
    most = now > most ? now : most;
  }
  CHECK(cuCtxSynchronize() == 0);
  return most;
}

/* No gate can stop their backlog, so it has a bound. A stream has none until it is empty
 * where the machine was too busy to simulate the device: then the test tries again. */
static void several_streams_are_not_far_ahead(void) {
  start_patiently();
  CUstream streams[4];
  CUfunction f = known_kernel("ns_2000000", NULL);
  for (int i = 0; i < 4; i++) {
    CHECK(cuStreamCreate(&streams[i], 1) == 0);
  }
  CHECK(until(most_in_flight(f, streams, 4) <= (AHEAD_MS + SPARSE_MS) * MS, 60000));
}

/* The work of one stream may wait for what the program submits next. */
static void a_device_that_stands_still_is_not_waited_for(void) {
  start_patiently();
  CUstream streams[2];
  CUfunction f = known_kernel("ns_2000000", NULL);
  CHECK(cuStreamCreate(&streams[0], 1) == 0 && cuStreamCreate(&streams[1], 1) == 0);
  stop(streams[0]);
  for (int i = 0; i < 300; i++) {
    CHECK(launch(f, streams[i % 2]) == 0);
  }
  let_go();
  CHECK(cuCtxSynchronize() == 0);
}

/* Their backlog runs out, and nothing is added to it: fences show that the device gets on, although
 * it takes longer than the window waits for work that does not. */
static void a_backlog_on_several_streams_runs_out(void) {
  start_patiently();
  CUstream streams[2];
  CUfunction f = known_kernel("ns_2000000", NULL);
  CHECK(cuStreamCreate(&streams[0], 1) == 0 && cuStreamCreate(&streams[1], 1) == 0);
  for (int i = 0; i < 150; i++) {
    CHECK(launch(f, streams[i % 2]) == 0);
  }
  rival();
  CHECK(until(launch(f, streams[0]) == 0 && fake_in_flight_ns() <= 15 * MS, 60000));
  CHECK(cuCtxSynchronize() == 0);
}

static const struct test_case cases[] = {
    {"a cold start, kernels of 20 us", cold_start_20_us},
    {"a cold start, kernels of 200 us", cold_start_200_us},
    {"a cold start, kernels of 2 ms", cold_start_2_ms},
    {"a cold start, kernels of 20 ms", cold_start_20_ms},
    {"a cold start, unknown kernels", cold_start_of_unknown_kernels},
    {"a cold start, kernels that have become longer",
     cold_start_of_kernels_that_have_become_longer},
    {"a cold start, a per-thread stream", cold_start_on_a_per_thread_stream},
    {"a cold start, graphs", cold_start_of_graphs},
    {"a cold start, copies", cold_start_copies},
    {"a cold start, memsets", cold_start_memsets},
    {"a cold start, long copies after short ones", cold_start_of_long_copies_after_short_ones},
    {"gates are sparse", gates_are_sparse},
    {"several streams have no gates", several_streams_have_no_gates},
    {"several streams are not far ahead", several_streams_are_not_far_ahead},
    {"a device that stands still is not waited for", a_device_that_stands_still_is_not_waited_for},
    {"a backlog on several streams runs out", a_backlog_on_several_streams_runs_out},
};
RUN_CASES(cases, 240)
