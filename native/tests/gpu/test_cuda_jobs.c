/* The ranks of a job under the CUDA shim: what counts as a collective, and what is held. */
#include "cuda_harness.h"

static uint64_t collectives(void) { return atomic_load(&raw_page_of("job.job")->rows[0].launches); }

static void start_rank(void) {
  setenv("GIVEWAY_JOB", "job", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_FAKE_KERNEL_NS", "0", 1);
  start_cuda();
}

static void the_kernels_of_nccl_are_collectives(void) {
  start_rank();
  CUfunction sum = kernel("ncclDevKernel_AllReduce_Sum_f32_RING_LL(ncclDevKernelArgs)");
  CUfunction old = kernel("ncclKernel_AllReduce_RING_LL_Sum_float"), other = kernel("ns_0");
  CHECK(launch(other, NULL) == 0);
  CHECK(collectives() == 0);
  for (int i = 0; i < 3; i++) {
    CHECK(launch(sum, NULL) == 0 && launch(other, NULL) == 0 && launch(old, NULL) == 0);
  }
  CHECK(collectives() == 6);
}

/* Another kernel gets its handle. */
static void an_unloaded_collective_is_forgotten(void) {
  start_rank();
  CUmodule gone;
  CUfunction sum;
  CHECK(cuModuleLoadData(&gone, "") == 0);
  CHECK(cuModuleGetFunction(&sum, gone, "ncclDevKernel_AllReduce") == 0);
  CHECK(launch(sum, NULL) == 0 && collectives() == 1 && cuModuleUnload(gone) == 0);
  CUfunction other = kernel("ns_0");
  CHECK(other == sum && launch(other, NULL) == 0 && collectives() == 1);
}

/* A captured collective runs with its graph. */
static void captured_collectives_do_not_count(void) {
  start_rank();
  CUfunction sum = kernel("ncclDevKernel_AllReduce");
  CUstream stream;
  CUgraph graph;
  CHECK(launch(sum, NULL) == 0 && collectives() == 1);
  CHECK(cuStreamCreate(&stream, 1) == 0 && cuStreamBeginCapture_v2(stream, 0) == 0);
  CHECK(launch(sum, stream) == 0 && cuStreamEndCapture(stream, &graph) == 0);
  CHECK(collectives() == 1);
}

static void outside_a_job_nothing_is_asked(void) {
  start_cuda();
  CHECK(launch(kernel("ncclDevKernel_AllReduce"), NULL) == 0);
  CHECK(fake_calls("cuFuncGetName") == 0);
}

/* Two streams, as a training with NCCL has: the host holds the launches. */
static void a_rank_that_is_behind_comes_to_the_same_collective(void) {
  start_rank();
  CUfunction sum = kernel("ncclDevKernel_AllReduce"), other = kernel("ns_0");
  CUstream stream;
  CHECK(cuStreamCreate(&stream, 1) == 0);
  CHECK(launch(other, NULL) == 0 && launch(sum, stream) == 0);
  gw_page *page;
  gw_task *rank;
  struct gw_task_options options = {.name = "rank"};
  CHECK(gw_page_open("GPU-other", 1, &page) == GW_OK && gw_join(page, &options, &rank) == GW_OK);
  gw_collective(rank);
  gw_collective(rank);
  unsetenv("GIVEWAY_JOB");
  gw_task *urgent = rival();
  gw_begin(urgent);
  _Atomic uint64_t *closed_ns = &raw_page_of(DEVICE)->rows[own_task().row].closed_ns;
  atomic_store(closed_ns, now_ns() + 3600000 * MS);            /* this machine may be slow */
  CHECK(launch(other, NULL) == 0 && launch(sum, stream) == 0); /* and does not wait */
  CHECK(collectives() == 2);
  atomic_store(closed_ns, now_ns());
  struct waiter w = {.function = other, .stream = stream};
  CHECK(cuCtxGetCurrent(&w.context) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, launch_in_thread, &w) == 0);
  CHECK(somebody_waits(DEVICE) && w.state == 1);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(pthread_join(thread, NULL) == 0 && w.state == 2);
}

static const struct test_case cases[] = {
    {"the kernels of NCCL are collectives", the_kernels_of_nccl_are_collectives},
    {"an unloaded collective is forgotten", an_unloaded_collective_is_forgotten},
    {"captured collectives do not count", captured_collectives_do_not_count},
    {"outside a job nothing is asked", outside_a_job_nothing_is_asked},
    {"a rank that is behind comes to the same", a_rank_that_is_behind_comes_to_the_same_collective},
};

RUN_CASES(cases, 60)
