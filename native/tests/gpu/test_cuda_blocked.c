/* A driver may block in any call, for example when its queue is full. No other thread of the
 * program then waits for anything of ours. */
#include "cuda_harness.h"

static void *fake_function(const char *name) {
  void *f = dlsym(dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY), name);
  CHECK(f != NULL);
  return f;
}

static void fake_block(const char *name) {
  ((void (*)(const char *))fake_function("fake_block"))(name);
}
static bool fake_blocked(void) { return ((bool (*)(void))fake_function("fake_blocked"))(); }
static void fake_unblock(void) { ((void (*)(void))fake_function("fake_unblock"))(); }

static CUcontext context;
static CUfunction f;

/* Everything that takes a lock of ours somewhere. */
static void use_everything(void) {
  static char to[64], from[64];
  CUstream stream, other;
  CUgraph graph;
  CUgraphExec exec;
  CHECK(cuStreamCreate(&stream, 1) == 0 && cuStreamCreate(&other, 1) == 0);
  for (int i = 0; i < 3; i++) {
    CHECK(launch(f, stream) == 0 && launch(f, other) == 0);
    CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)to, from, sizeof to, stream) == 0);
    CHECK(cuMemsetD8Async((CUdeviceptr)to, 1, sizeof to, other) == 0);
  }
  CHECK(cuStreamSynchronize(stream) == 0 && cuStreamSynchronize(other) == 0);
  CHECK(cuStreamQuery(stream) == 0);
  CHECK(cuStreamBeginCapture_v2(stream, 2) == 0 && launch(f, stream) == 0);
  CHECK(cuStreamEndCapture(stream, &graph) == 0);
  CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0 && cuGraphLaunch(exec, stream) == 0);
  CHECK(cuStreamSynchronize(stream) == 0 && cuGraphExecDestroy(exec) == 0);
  CHECK(cuStreamDestroy_v2(stream) == 0 && cuStreamDestroy_v2(other) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void *keep_launching(void *argument) {
  struct waiter *w = argument;
  CHECK(cuCtxSetCurrent(w->context) == 0);
  while (atomic_load(&w->state) == 0) {
    for (int i = 0; i < 16; i++) {
      CHECK(launch(w->function, w->stream) == 0);
    }
    CHECK(cuStreamSynchronize(w->stream) == 0);
  }
  return NULL;
}

static void others_go_on(const char *function, const char *us) {
  setenv("GIVEWAY_STREAM_GATE_US", us, 1);
  setenv("GIVEWAY_LINGER_MS", "1000000", 1); /* the watcher does not query: it is not meant here */
  start_cuda();
  CHECK(cuCtxGetCurrent(&context) == 0);
  f = kernel("ns_1000");
  rival();
  struct waiter w = {.function = kernel("ns_100000"), .context = context};
  fake_block(function);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, keep_launching, &w) == 0);
  CHECK(until(fake_blocked(), 60000));
  use_everything();
  CHECK(fake_blocked());
  fake_unblock();
  atomic_store(&w.state, 1);
  CHECK(pthread_join(thread, NULL) == 0 && cuCtxSynchronize() == 0);
}

static void a_launch(void) { others_go_on("cuLaunchKernel", "250"); }
static void a_gate(void) { others_go_on("cuStreamWaitValue32_v2", "250"); }
static void a_registration(void) { others_go_on("cuMemHostRegister_v2", "250"); }
static void a_new_event(void) { others_go_on("cuEventCreate", "250"); }
static void a_fence(void) { others_go_on("cuEventRecord", "250"); }
static void a_query(void) { others_go_on("cuEventQuery", "250"); }
static void a_time(void) { others_go_on("cuEventElapsedTime", "250"); }
static void the_name_of_the_device(void) { others_go_on("cuDeviceGetUuid_v2", "250"); }
static void a_launch_in_a_window(void) { others_go_on("cuLaunchKernel", "0"); }
static void a_fence_in_a_window(void) { others_go_on("cuEventRecord", "0"); }
static void a_query_in_a_window(void) { others_go_on("cuEventQuery", "0"); }

/* The watcher asks for one stream, which has work; another one is destroyed. */
static void the_watchers_query(void) {
  start_cuda();
  CHECK(cuCtxGetCurrent(&context) == 0);
  f = kernel("ns_1000");
  CUstream busy;
  static _Atomic uint32_t go;
  CHECK(cuStreamCreate(&busy, 1) == 0);
  CHECK(cuStreamWaitValue32_v2(busy, (CUdeviceptr)&go, 1, 0) == 0);
  fake_block("cuStreamQuery");
  CHECK(launch(f, busy) == 0 && until(fake_blocked(), 60000));
  CHECK(cuStreamSynchronize(NULL) == 0); /* lends its priority */
  pid_t pid = fork();
  if (pid == 0) {
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  CUstream other;
  CHECK(cuStreamCreate(&other, 1) == 0 && launch(f, other) == 0);
  CHECK(cuStreamDestroy_v2(other) == 0 && fake_blocked());
  fake_unblock();
  atomic_store(&go, 1);
  CHECK(cuCtxSynchronize() == 0);
}

/* A thread that waits for room is cancelled only where it would be without us. */
static void *launch_and_say(void *argument) {
  struct waiter *w = argument;
  CHECK(cuCtxSetCurrent(w->context) == 0);
  for (int i = 0; i < 8; i++) {
    CHECK(launch(w->function, w->stream) == 0);
    atomic_store(&w->state, i + 1);
  }
  return NULL;
}

static void no_cancellation_point_in_a_launch(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1);
  start_cuda();
  struct waiter w = {.function = kernel("ns_5000000")};
  CHECK(cuCtxGetCurrent(&w.context) == 0);
  rival();
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, launch_and_say, &w) == 0);
  CHECK(until(atomic_load(&w.state) >= 2, 60000) && pthread_cancel(thread) == 0);
  void *result;
  CHECK(pthread_join(thread, &result) == 0 && result == NULL && atomic_load(&w.state) == 8);
  CHECK(cuCtxSynchronize() == 0);
}

static const struct test_case cases[] = {
    {"a launch blocks", a_launch},
    {"a gate blocks", a_gate},
    {"a registration blocks", a_registration},
    {"a new event blocks", a_new_event},
    {"a fence blocks", a_fence},
    {"a query blocks", a_query},
    {"the time between events blocks", a_time},
    {"the name of the device blocks", the_name_of_the_device},
    {"a launch in a window blocks", a_launch_in_a_window},
    {"a fence in a window blocks", a_fence_in_a_window},
    {"a query in a window blocks", a_query_in_a_window},
    {"the watcher's query blocks", the_watchers_query},
    {"no cancellation point in a launch", no_cancellation_point_in_a_launch},
};
RUN_CASES(cases, 120)
