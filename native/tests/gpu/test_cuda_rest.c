/* When the hooks tell the gate that the device has nothing left to do. */
#include "cuda_harness.h"

static _Atomic int rests, beginnings;

/* In the place of the library's, which hooks call. */
GW_API void gw_work(gw_task *task) {
  CHECK(task != NULL);
  atomic_fetch_add(&beginnings, 1);
}

GW_API void gw_rest(gw_task *task) {
  CHECK(task != NULL);
  atomic_fetch_add(&rests, 1);
}

static CUfunction f;
static CUstream streams[2];

static void launch_on(int count) {
  for (int i = 0; i < count; i++) {
    CHECK(launch(f, streams[i]) == 0);
  }
}

static void start(void) {
  setenv("GIVEWAY_LINGER_MS", "1000000", 1); /* the watcher does not take note of streams */
  start_cuda();
  f = kernel("ns_1000");
  CHECK(cuStreamCreate(&streams[0], 1) == 0 && cuStreamCreate(&streams[1], 1) == 0);
}

static void after_a_wait(void) {
  start();
  for (int i = 1; i <= 3; i++) {
    launch_on(1);
    CHECK(rests == i - 1 && cuStreamSynchronize(streams[0]) == 0 && rests == i);
  }
}

static void after_a_wait_for_all(void) {
  start();
  launch_on(2);
  CHECK(cuCtxSynchronize() == 0 && rests == 1);
}

static void after_a_query_that_finds_all_done(void) {
  start();
  launch_on(1);
  CHECK(until(cuStreamQuery(streams[0]) == 0, 30000) && rests == 1);
}

static void not_while_another_stream_works(void) {
  start();
  launch_on(2);
  CHECK(cuStreamSynchronize(streams[0]) == 0 && rests == 0);
  CHECK(cuStreamSynchronize(streams[1]) == 0 && rests == 1);
}

static void not_where_nothing_was_launched(void) {
  start();
  launch_on(1);
  CHECK(cuStreamSynchronize(streams[1]) == 0 && rests == 0);
}

static void not_after_a_wait_that_failed(void) {
  setenv("GIVEWAY_FAKE_ERRORS", "cuStreamSynchronize=719", 1);
  start();
  launch_on(1);
  CHECK(cuStreamSynchronize(streams[0]) == 719 && rests == 0);
}

static void only_the_first_launch_after_a_wait_tells(void) {
  start();
  for (int i = 1; i <= 3; i++) {
    launch_on(1);
    int before = beginnings;
    launch_on(1);
    CHECK(before >= i && beginnings == before && cuStreamSynchronize(streams[0]) == 0);
  }
}

static const struct test_case cases[] = {
    {"after a wait", after_a_wait},
    {"after a wait for all", after_a_wait_for_all},
    {"after a query that finds all done", after_a_query_that_finds_all_done},
    {"not while another stream works", not_while_another_stream_works},
    {"not where nothing was launched", not_where_nothing_was_launched},
    {"only the first launch after a wait tells", only_the_first_launch_after_a_wait_tells},
    {"not after a wait that failed", not_after_a_wait_that_failed},
};
RUN_CASES(cases, 240)
