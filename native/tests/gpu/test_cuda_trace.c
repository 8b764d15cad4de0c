/* The report of GIVEWAY_TRACE for a program over the fake driver. */
#include "cuda_harness.h"
#include "trace_harness.h"

static void *launch_twice(void *context) {
  CHECK(cuCtxSetCurrent(context) == 0);
  CUfunction f = kernel("ns_0");
  CHECK(launch(f, (CUstream)2) == 0 && launch(f, (CUstream)2) == 0);
  return NULL;
}

/* It has launched nothing, so it leaves no trace. */
static void fork_a_child(void) {
  int status = -1;
  pid_t pid = fork();
  if (pid == 0) {
    exit(0);
  }
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void ask_too_early(CUstream stream) {
  static _Atomic uint32_t word;
  CHECK(cuStreamWaitValue32_v2(stream, (CUdeviceptr)&word, 1, 0) == 0);
  CHECK(cuStreamQuery(stream) == 600); /* an answer, not a failure */
  atomic_store(&word, 1);
}

/* The second kernel gets the handle of the first. */
static void unload_between_launches(void) {
  CUmodule gone;
  CUfunction first, second;
  CHECK(cuModuleLoadData(&gone, "") == 0 && cuModuleGetFunction(&first, gone, "ns_0_gone") == 0);
  CHECK(launch(first, NULL) == 0 && cuModuleUnload(gone) == 0);
  second = kernel("ns_0_new");
  CHECK(second == first && launch(second, NULL) == 0);
}

static void take_20_ms(void) { sleep_ms(20); }

static void synchronise_for_20_ms(void) {
  void *fake = dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY);
  void (*during)(const char *, void (*)(void)) =
      (void (*)(const char *, void (*)(void)))dlsym(fake, "fake_during");
  CHECK(during != NULL);
  during("cuStreamSynchronize", take_20_ms);
  CHECK(cuStreamSynchronize(NULL) == 0);
}

static void program(void) {
  setenv("GIVEWAY_FAKE_ERRORS", "cuMemFreeAsync_ptsz=1", 1);
  start_cuda();
  CUcontext context;
  CUstream stream;
  CUgraph graph;
  CUgraphExec exec;
  CHECK(cuCtxGetCurrent(&context) == 0 && cuStreamCreate(&stream, 1) == 0);
  CUfunction f = kernel("ns_0"), quoted = kernel("ns_0 \"<\\\n>\"");
  for (int i = 0; i < 5; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(launch(quoted, stream) == 0);
  CHECK(launch(NULL, stream) == 400);
  for (int i = 0; i < 3; i++) { /* threads that come and go count as well */
    pthread_t thread;
    pthread_create(&thread, NULL, launch_twice, context);
    pthread_join(thread, NULL);
  }
  CHECK(cuStreamBeginCapture_v2(stream, 1) == 0 && cuStreamEndCapture(stream, &graph) == 0);
  CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0 && cuGraphLaunch(exec, stream) == 0);
  CUdeviceptr first, second, third;
  CHECK(cuMemAlloc_v2(&first, 1000) == 0 && cuMemAllocAsync(&second, 500, stream) == 0);
  CHECK(cuMemsetD8Async(first, 0, 1000, NULL) == 0);
  char bytes[16];
  CHECK(cuMemcpyDtoH_v2(bytes, first, 16) == 0);
  CHECK(cuMemFree_v2(first) == 0 && cuMemAlloc_v2(&third, 200) == 0);
  CHECK(cuMemFreeAsync(second, stream) == 0);
  CHECK(cuMemFreeAsync_ptsz(third, stream) == 1);
  CHECK(cuMemAlloc_v2(&third, 0) == 1);
  ask_too_early(stream);
  unload_between_launches();
  CHECK(launch(kernel("ns_1000"), NULL) == 0);
  synchronise_for_20_ms();
  CHECK(cuCtxSynchronize() == 0);
  fork_a_child();
}

static void everything_is_counted(void) {
  uint64_t start = now_ns();
  const char *text = trace_of("0");
  uint64_t took = now_ns() - start;
  says(text, "\"launches\": 8, \"legacy_launches\": 8, \"graph_launches\": 1, \"copies\": 1, "
             "\"memsets\": 1, \"allocations\": 4, \"frees\": 3, \"host_allocations\": 0, "
             "\"host_frees\": 0, \"syncs\": 2, \"event_calls\": 0, \"queries\": 1, \"other\": 5, "
             "\"failures\": 3, \"stream_gates\": 0, \"sync_ns\": ");
  says(text, "\"allocated\": 1700, \"freed\": 1500, \"peak\": 1500}");
  says(text, "{\"launches\": 5, \"name\": \"ns_0\"}");
  says(text, "{\"launches\": 2, \"name\": \"ns_0\"}");
  says(text, "{\"launches\": 1, \"name\": \"ns_1000\"}");
  says(text, "{\"launches\": 1, \"name\": \"ns_0_gone\"}");
  says(text, "{\"launches\": 1, \"name\": \"ns_0_new\"}");
  says(text, "{\"launches\": 1, \"name\": \"ns_0 \\\"<\\\\\\u000a>\\\"\"}");
  says(text, "\"device\": \"" DEVICE "\", \"name\": \"traced\", \"priority\": 0, ");
  unsigned long sync_ns = strtoul(strstr(text, "\"sync_ns\": ") + 11, NULL, 10);
  CHECK(sync_ns >= 20 * MS && sync_ns < took);
  CHECK(strstr(text, "events") == NULL);
}

static void events_are_kept_when_asked_for(void) {
  const char *text = trace_of("8");
  says(text, "\"events\": [");
  int events = 0;
  for (const char *at = text; (at = strstr(at, ", \"cu")) != NULL; at++) {
    events++;
  }
  CHECK(events == 8);
  says(text, "\"cuLaunchKernel\", \"ns_1000\"]");
  says(text, "\"cuCtxSynchronize\", \"\"]]"); /* the last ones */
}

static const struct test_case cases[] = {
    {"everything is counted", everything_is_counted},
    {"events are kept when asked for", events_are_kept_when_asked_for},
};

int main(int count, char **arguments) {
  if (count > 1 && strcmp(arguments[1], "program") == 0) {
    program();
    return 0;
  }
  int failed = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    failed += run_case(&cases[i], 240);
  }
  return failed != 0;
}
