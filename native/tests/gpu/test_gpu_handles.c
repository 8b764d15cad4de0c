/* A handle that stands for other work than before: a kernel of newly loaded code gets the handle of
 * an unloaded one, and a graph is changed in place. Compiled for each API: see gpu.h. */
#include "gpu.h"

#define load_module GPU(hipModuleLoadData, cuModuleLoadData)
#define unload_module GPU(hipModuleUnload, cuModuleUnload)
#define get_kernel GPU(hipModuleGetFunction, cuModuleGetFunction)
#define begin_capture GPU(hipStreamBeginCapture, cuStreamBeginCapture_v2)
#define end_capture GPU(hipStreamEndCapture, cuStreamEndCapture)
#define instantiate GPU(hipGraphInstantiateWithFlags, cuGraphInstantiateWithFlags)
#define graph_launch GPU(hipGraphLaunch, cuGraphLaunch)

typedef GPU(hipGraph_t, CUgraph) gpu_graph;
typedef GPU(hipGraphExec_t, CUgraphExec) gpu_exec;

static uint64_t records(void) { return gpu_fake_calls(GPU("hipEventRecord", "cuEventRecord")); }

static gpu_kernel kernel_of(gpu_module module, const char *name) {
  gpu_kernel kernel;
  CHECK(get_kernel(&kernel, module, name) == 0);
  return kernel;
}

static gpu_module new_module(void) {
  gpu_module module;
  CHECK(load_module(&module, "") == 0);
  return module;
}

static int launch_graph(void *exec) { return graph_launch(exec, NULL); }
static int launch_kernel(void *kernel) { return gpu_launch(kernel, NULL); }

/* The first launches of a kind are timed by two events each, and few of the later ones. */
static bool is_timed(int (*launch)(void *), void *handle) {
  uint64_t before = records();
  CHECK(launch(handle) == 0 && gpu_sync() == 0);
  return records() > before;
}

static void learn(int (*launch)(void *), void *handle) {
  for (int i = 0; i < 10; i++) {
    is_timed(launch, handle);
  }
  CHECK(!is_timed(launch, handle));
}

static void start(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1);
  setenv("GIVEWAY_WINDOW_US", "1000000", 1); /* no events but those of timed launches */
  gpu_start();
  gpu_rival();
}

static void a_kernel_at_an_old_handle_is_unknown(void) {
  start();
  gpu_module module = new_module();
  gpu_kernel first = kernel_of(module, "ns_1000");
  learn(launch_kernel, first);
  CHECK(unload_module(module) == 0);
  gpu_kernel second = kernel_of(new_module(), "ns_100000");
  CHECK(second == first && is_timed(launch_kernel, second));
}

static void the_code_of_a_context_goes_with_it(void) {
  start();
  gpu_kernel kernel = kernel_of(new_module(), "ns_1000");
  learn(launch_kernel, kernel);
  CHECK(GPU(hipDeviceReset(), cuDevicePrimaryCtxReset_v2(0)) == 0 && gpu_retain() == 0);
  CHECK(is_timed(launch_kernel, kernel));
}

/* The fakes have none of these: a call that fails may have changed the graph as well. */
static const char *const changes[] = {
    GPU("hipGraphExecUpdate", "cuGraphExecUpdate_v2"),
    GPU("hipGraphExecNodeSetParams", "cuGraphExecNodeSetParams"),
    GPU("hipGraphExecKernelNodeSetParams", "cuGraphExecKernelNodeSetParams_v2"),
    GPU("hipGraphExecMemcpyNodeSetParams", "cuGraphExecMemcpyNodeSetParams"),
    GPU("hipGraphExecMemsetNodeSetParams", "cuGraphExecMemsetNodeSetParams"),
    GPU("hipGraphExecHostNodeSetParams", "cuGraphExecHostNodeSetParams"),
    GPU("hipGraphExecChildGraphNodeSetParams", "cuGraphExecChildGraphNodeSetParams"),
    GPU("hipGraphNodeSetEnabled", "cuGraphNodeSetEnabled"),
};

static void a_graph_that_is_changed_in_place_is_unknown(void) {
  start();
  gpu_stream stream = gpu_new_stream();
  gpu_graph graph;
  gpu_exec exec;
  CHECK(begin_capture(stream, 0) == 0);
  CHECK(gpu_launch(kernel_of(new_module(), "ns_1000"), stream) == 0);
  CHECK(end_capture(stream, &graph) == 0 && instantiate(&exec, graph, 0) == 0);
  learn(launch_graph, exec);
  int known = 0;
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    int (*change)(void *, void *, void *, void *) =
        (int (*)(void *, void *, void *, void *))dlsym(RTLD_DEFAULT, changes[i]);
    if (change != NULL) { /* a generation lacks some */
      change(exec, NULL, NULL, NULL);
      CHECK(is_timed(launch_graph, exec));
      learn(launch_graph, exec);
      known++;
    }
  }
  CHECK(known >= 6);
}

static const struct test_case cases[] = {
    {"a kernel at an old handle is unknown", a_kernel_at_an_old_handle_is_unknown},
    {"the code of a context goes with it", the_code_of_a_context_goes_with_it},
    {"a graph that is changed in place is unknown", a_graph_that_is_changed_in_place_is_unknown},
};
RUN_CASES(cases, 120)
