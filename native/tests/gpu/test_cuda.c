/* The CUDA shim over the fake driver; run with the shim preloaded. */
#include "cuda_harness.h"

static void launches_are_seen(void) {
  start_cuda();
  CUstream stream;
  CHECK(cuStreamCreate(&stream, 0) == 0);
  CUfunction f = kernel("ns_0");
  for (int i = 0; i < 10; i++) {
    CHECK(launch(f, NULL) == 0 && launch(f, stream) == 0 && launch(f, (CUstream)1) == 0);
    CHECK(cuLaunchKernel_ptsz(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL) == 0);
  }
  CHECK(own_task().launches == 40);
  CHECK(fake_calls("cuLaunchKernel") == 30 && fake_calls("cuLaunchKernel_ptsz") == 10);
  CHECK(cuCtxSynchronize() == 0);
}

static void own_failures_stay_ours(void) {
  setenv("GIVEWAY_FAKE_ERRORS", "cuEventCreate=2,cuEventRecord=2,cuDeviceGetUuid_v2=1", 1);
  start_cuda();
  CUfunction f = kernel("ns_1000");
  rival();
  for (int i = 0; i < 100; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(cuCtxSynchronize() == 0);
}

static void lookups_give_the_hooks(void) {
  start_cuda();
  void *f = NULL;
  int status = -1;
  CHECK(cuGetProcAddress_v2("cuLaunchKernel", &f, 12000, 0, &status) == 0);
  CHECK(f == (void *)cuLaunchKernel && status == 0);
  CHECK(cuGetProcAddress_v2("cuLaunchKernel", &f, 12000, 1, NULL) == 0);
  CHECK(f == (void *)cuLaunchKernel);
  CHECK(cuGetProcAddress_v2("cuLaunchKernel", &f, 12000, 2, NULL) == 0);
  CHECK(f == (void *)cuLaunchKernel_ptsz);
  CHECK(cuGetProcAddress_v2("cuGetProcAddress", &f, 12000, 0, NULL) == 0);
  CHECK(f == (void *)cuGetProcAddress_v2);
  CHECK(cuGetProcAddress_v2("cuMemcpyHtoDAsync", &f, 12000, 0, NULL) == 0);
  CHECK(f == (void *)cuMemcpyHtoDAsync_v2);
  Dl_info info;
  CHECK(cuGetProcAddress_v2("cuDeviceGetName", &f, 12000, 0, NULL) == 0);
  CHECK(dladdr(f, &info) != 0 && strstr(info.dli_fname, "fake") != NULL);
  CHECK(cuGetProcAddress_v2("cuNoSuchThing", &f, 12000, 0, NULL) == 500 && f == NULL);
  void *shim = dlopen("libcuda.so.1", RTLD_LAZY);
  CHECK(dlsym(shim, "cuLaunchKernel") == (void *)cuLaunchKernel);
}

static void held_on(CUstream stream, void *(*use)(void *)) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1); /* else the device holds it, and the program goes on */
  start_cuda();
  struct waiter w = {.function = kernel("ns_0"), .stream = stream};
  if (stream == (CUstream)-1) {
    CHECK(cuStreamCreate(&w.stream, 1) == 0);
  }
  CHECK(cuCtxGetCurrent(&w.context) == 0);
  CHECK(launch(w.function, w.stream) == 0);
  gw_task *urgent = rival();
  gw_begin(urgent);
  uint64_t calls = fake_calls("cuLaunchKernel");
  pthread_t thread;
  pthread_create(&thread, NULL, use, &w);
  CHECK(somebody_waits(DEVICE));
  CHECK(atomic_load(&w.state) == 1 && fake_calls("cuLaunchKernel") == calls);
  gw_end(urgent);
  gw_idle(urgent);
  pthread_join(thread, NULL);
  CHECK(atomic_load(&w.state) == 2 && own_task().held == 1);
}

static void null_stream_is_held(void) { held_on(NULL, launch_in_thread); }
static void per_thread_stream_is_held(void) { held_on((CUstream)2, launch_in_thread); }
static void created_stream_is_held(void) { held_on((CUstream)-1, launch_in_thread); }

static void *copy_in_thread(void *argument) {
  static char from[16], to[16];
  struct waiter *w = argument;
  CHECK(cuCtxSetCurrent(w->context) == 0);
  atomic_store(&w->state, 1);
  CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)to, from, sizeof to, w->stream) == 0);
  atomic_store(&w->state, 2);
  return NULL;
}

static void copies_are_held(void) { held_on((CUstream)-1, copy_in_thread); }

static void *copy_and_wait_in_thread(void *argument) {
  static char from[16], to[16];
  struct waiter *w = argument;
  CHECK(cuCtxSetCurrent(w->context) == 0);
  atomic_store(&w->state, 1);
  CHECK(cuMemcpyDtoH_v2(to, (CUdeviceptr)from, sizeof to) == 0);
  atomic_store(&w->state, 2);
  return NULL;
}

static void copies_that_wait_are_held(void) { held_on(NULL, copy_and_wait_in_thread); }

static void window_holds(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1);
  start_cuda();
  uint64_t found = window_of(kernel("ns_100000"));
  CHECK(found >= 200 * US && found <= 500 * US);
}

/* However much of its work is in flight. */
static void nobody_urgent_nothing_waits(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1);
  start_cuda();
  CUfunction f = kernel(FOR_EVER);
  for (int i = 0; i < 1000; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(fake_calls("cuLaunchKernel") == 1000);
}

/* The work that the window waits for may wait for the program itself. */
static void window_is_no_deadlock(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1);
  start_cuda();
  CUstream first, second;
  CHECK(cuStreamCreate(&first, 1) == 0 && cuStreamCreate(&second, 1) == 0);
  static _Atomic uint32_t word;
  CUfunction f = kernel("ns_300000");
  rival();
  CHECK(cuStreamWaitValue32_v2(first, (CUdeviceptr)&word, 1, 0) == 0);
  for (int i = 0; i < 8; i++) {
    CHECK(launch(f, first) == 0 && launch(f, second) == 0);
  }
  atomic_store(&word, 1);
  CHECK(cuCtxSynchronize() == 0);
}

static void *keep_launching(void *argument) {
  struct waiter *w = argument;
  CHECK(cuCtxSetCurrent(w->context) == 0);
  while (atomic_load(&w->state) == 0) {
    CHECK(launch(w->function, w->stream) == 0);
  }
  return NULL;
}

static void captures_are_not_disturbed(void) {
  start_cuda();
  CUstream stream;
  CHECK(cuStreamCreate(&stream, 1) == 0);
  CUfunction f = kernel("ns_50000");
  struct waiter w = {.function = kernel("ns_1000")}; /* short: nothing limits how many there are */
  CHECK(cuStreamCreate(&w.stream, 1) == 0 && cuCtxGetCurrent(&w.context) == 0);
  gw_task *urgent = rival();
  pthread_t thread;
  pthread_create(&thread, NULL, keep_launching, &w);
  for (int round = 0; round < 5; round++) {
    CUgraph graph;
    size_t nodes = 0;
    CHECK(cuStreamBeginCapture_v2(stream, 0) == 0);
    gw_begin(urgent); /* captured launches pass a closed gate */
    for (int i = 0; i < 300; i++) {
      CHECK(launch(f, stream) == 0);
    }
    gw_end(urgent);
    gw_idle(urgent);
    CHECK(cuStreamEndCapture(stream, &graph) == 0);
    CHECK(cuGraphGetNodes(graph, NULL, &nodes) == 0 && nodes == 300);
    CUgraphExec exec;
    CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0 && cuGraphLaunch(exec, stream) == 0);
  }
  atomic_store(&w.state, 1);
  pthread_join(thread, NULL);
  CHECK(cuCtxSynchronize() == 0);
}

static void idle_after_synchronising(void) {
  start_cuda();
  static _Atomic uint32_t word;
  CHECK(cuStreamWaitValue32_v2(NULL, (CUdeviceptr)&word, 1, 0) == 0);
  CHECK(launch(kernel("ns_1000"), NULL) == 0);
  await_watcher();
  CHECK(own_task().active); /* the device is not done */
  atomic_store(&word, 1);
  CHECK(cuStreamSynchronize(NULL) == 0);
  CHECK(until(!own_task().active, 60000));
}

static const struct test_case cases[] = {
    {"launches are seen", launches_are_seen},
    {"our own failures stay ours", own_failures_stay_ours},
    {"look-ups give the hooks", lookups_give_the_hooks},
    {"the NULL stream is held", null_stream_is_held},
    {"the per-thread stream is held", per_thread_stream_is_held},
    {"a created stream is held", created_stream_is_held},
    {"copies are held", copies_are_held},
    {"copies that wait are held", copies_that_wait_are_held},
    {"the window holds", window_holds},
    {"nothing waits where nobody is more urgent", nobody_urgent_nothing_waits},
    {"the window is no deadlock", window_is_no_deadlock},
    {"captures are not disturbed", captures_are_not_disturbed},
    {"idle after synchronising", idle_after_synchronising},
};
RUN_CASES(cases, 240)
