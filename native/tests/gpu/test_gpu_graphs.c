/* Memory of arrays and of graphs: how much a task is charged, and where its limit is. Compiled for
 * each API: see gpu.h. */
#include "gpu.h"

#define MIB (UINT64_C(1) << 20)
#define OUT_OF_MEMORY 2

typedef GPU(void *, CUdeviceptr) address;

static uint64_t in_use(void) { return gpu_task_of(getpid()).memory; }

static int get(address *memory, size_t size) { return GPU(hipMalloc, cuMemAlloc_v2)(memory, size); }

/* ---- arrays ------------------------------------------------------------------------------------
 */

struct array {
  size_t width, height, depth;
  unsigned format, channels, flags;
};
enum { BYTE = 0x01, HALF = 0x10, FLOAT = 0x20, LAYERED = 1, SPARSE = 0x40 };

static int create(void **array, struct array of, unsigned levels) {
  return GPU(hipMipmappedArrayCreate, cuMipmappedArrayCreate)(array, &of, levels);
}

static bool takes(struct array of, unsigned levels, uint64_t bytes) {
  void *array;
  uint64_t before = in_use();
  CHECK(create(&array, of, levels) == 0);
  uint64_t now = in_use() - before;
  CHECK(GPU(hipMipmappedArrayDestroy, cuMipmappedArrayDestroy)(array) == 0 && in_use() == before);
  if (now != bytes) {
    fprintf(stderr, "%lu bytes, not %lu\n", (unsigned long)now, (unsigned long)bytes);
  }
  return now == bytes;
}

static void arrays_have_sizes(void) {
  gpu_start();
  address memory;
  CHECK(get(&memory, 1) == 0);
  CHECK(takes((struct array){1000, 0, 0, BYTE, 1, 0}, 1, 1000));
  CHECK(takes((struct array){1000, 100, 0, BYTE, 4, 0}, 1, 400000));
  CHECK(takes((struct array){1000, 100, 10, HALF, 2, 0}, 1, 4000000));
  CHECK(takes((struct array){1000, 100, 10, FLOAT, 1, 0}, 1, 4000000));
  CHECK(takes((struct array){64, 32, 1, BYTE, 1, 0}, 3, 64 * 32 + 32 * 16 + 16 * 8));
  CHECK(takes((struct array){64, 32, 8, BYTE, 1, 0}, 2, 64 * 32 * 8 + 32 * 16 * 4));
  CHECK(takes((struct array){64, 32, 8, BYTE, 1, LAYERED}, 2, (64 * 32 + 32 * 16) * 8));
  CHECK(takes((struct array){4, 1, 1, BYTE, 1, 0}, 3, 4 + 2 + 1));
  CHECK(takes((struct array){4096, 4096, 1, BYTE, 1, SPARSE}, 1, 0)); /* mapped later */
}

#ifdef GENERATION
static void arrays_of_channels(void) {
  gpu_start();
  void *array;
  address memory;
  CHECK(get(&memory, 1) == 0);
  hipChannelFormatDesc of = {32, 32, 0, 0, 2};
  hipExtent extent = {64, 32, 8};
  CHECK(hipMallocArray(&array, &of, 64, 32, 0) == 0 && in_use() == 1 + 64 * 32 * 8);
  CHECK(hipFreeArray(array) == 0 && in_use() == 1);
  CHECK(hipMallocArray(&array, &of, 64, 0, 0) == 0 && in_use() == 1 + 64 * 8);
  CHECK(hipFreeArray(array) == 0 && in_use() == 1);
  CHECK(hipMalloc3DArray(&array, &of, extent, 0) == 0 && in_use() == 1 + 64 * 32 * 8 * 8);
  CHECK(hipArrayDestroy(array) == 0 && in_use() == 1);
  CHECK(hipMallocMipmappedArray(&array, &of, extent, 2, LAYERED) == 0);
  CHECK(in_use() == 1 + (64 * 32 + 32 * 16) * 8 * 8);
  CHECK(hipFreeMipmappedArray(array) == 0 && in_use() == 1);
}
#endif

static void arrays_are_limited(void) {
  setenv("GIVEWAY_MEMORY", "104857600", 1);
  gpu_start();
  void *array, *more;
  const char *name = GPU("hipMipmappedArrayCreate", "cuMipmappedArrayCreate");
  CHECK(create(&array, (struct array){MIB, 60, 0, BYTE, 1, 0}, 1) == 0);
  uint64_t calls = gpu_fake_calls(name);
  CHECK(create(&more, (struct array){MIB, 41, 0, BYTE, 1, 0}, 1) == OUT_OF_MEMORY);
  CHECK(gpu_fake_calls(name) == calls); /* the driver had room */
  CHECK(create(&more, (struct array){MIB, 40, 0, BYTE, 1, 0}, 1) == 0);
}

static void arrays_go_with_their_context(void) {
  gpu_start();
  void *array;
  CHECK(create(&array, (struct array){MIB, 60, 0, BYTE, 1, 0}, 1) == 0 && in_use() == 60 * MIB);
  CHECK(GPU(hipDeviceReset(), cuDevicePrimaryCtxReset_v2(0)) == 0 && in_use() == 0);
}

/* ---- graphs ------------------------------------------------------------------------------------
 */

typedef GPU(hipGraph_t, CUgraph) graph;
typedef GPU(hipGraphExec_t, CUgraphExec) executable;

struct alloc_node {
  int type, handle_types, location_type, location;
  uint64_t others[11], bytes;
  void *address;
};

static graph new_graph(void) {
  graph made;
  CHECK(GPU(hipGraphCreate, cuGraphCreate)(&made, 0) == 0);
  return made;
}

static int add_allocation(graph to, uint64_t bytes) {
  void *node;
  struct alloc_node wanted = {.type = 1, .location_type = 1, .bytes = bytes};
  return GPU(hipGraphAddMemAllocNode, cuGraphAddMemAllocNode)(&node, to, NULL, 0, &wanted);
}

/* A node of any kind; HIP has the function from 6 on. */
#if !defined(GENERATION) || GENERATION >= 6
#define ANY_NODE
static int add_node(graph to, int type, uint64_t bytes) {
  void *node;
  struct {
    int type, reserved[3];
    struct alloc_node alloc;
  } wanted = {.type = type, .alloc = {.type = 1, .location_type = 1, .bytes = bytes}};
#ifdef GENERATION
  return hipGraphAddNode(&node, to, NULL, 0, &wanted);
#else
  return cuGraphAddNode_v2(&node, to, NULL, NULL, 0, &wanted);
#endif
}
#endif

static executable instantiate(graph from) {
  executable made;
  CHECK(GPU(hipGraphInstantiateWithFlags, cuGraphInstantiateWithFlags)(&made, from, 0) == 0);
  return made;
}

static int run(executable what) {
  int result = GPU(hipGraphLaunch, cuGraphLaunch)(what, NULL);
  return result == 0 ? gpu_sync() : result;
}

static int trim(void) { return GPU(hipDeviceGraphMemTrim, cuDeviceGraphMemTrim)(0); }

/* The driver fills the pool of the device at a launch, and keeps what it has. */
static void a_graph_is_charged_when_it_runs(void) {
  gpu_start();
  address memory;
  CHECK(get(&memory, MIB) == 0);
  graph wanted = new_graph();
  CHECK(add_allocation(wanted, 64 * MIB) == 0);
  executable large = instantiate(wanted);
  CHECK(in_use() == MIB && run(large) == 0 && in_use() == 65 * MIB);
  CHECK(run(large) == 0 && in_use() == 65 * MIB);
  wanted = new_graph();
  CHECK(add_allocation(wanted, 32 * MIB) == 0);
  CHECK(run(instantiate(wanted)) == 0 && in_use() == 65 * MIB); /* it fits into the pool */
  CHECK(trim() == 0 && in_use() == MIB);
  CHECK(gpu_task_of(getpid()).memory_peak == 65 * MIB);
}

#ifdef ANY_NODE
static void nodes_of_any_kind(void) {
  setenv("GIVEWAY_MEMORY", "104857600", 1);
  gpu_start();
  graph wanted = new_graph();
  const char *name = GPU("hipGraphAddNode", "cuGraphAddNode_v2");
  uint64_t calls = gpu_fake_calls(name);
  CHECK(add_node(wanted, 10, 101 * MIB) == OUT_OF_MEMORY && gpu_fake_calls(name) == calls);
  CHECK(add_node(wanted, 11, 101 * MIB) == 1 && gpu_fake_calls(name) == calls + 1); /* a free */
  CHECK(add_node(wanted, 10, 60 * MIB) == 0 && run(instantiate(wanted)) == 0);
  CHECK(in_use() == 60 * MIB);
}
#endif

static int capture(gpu_stream stream, uint64_t bytes, graph *captured) {
  address memory;
  CHECK(GPU(hipStreamBeginCapture, cuStreamBeginCapture_v2)(stream, 0) == 0);
  int result = GPU(hipMallocAsync, cuMemAllocAsync)(&memory, bytes, stream);
  CHECK(GPU(hipStreamEndCapture, cuStreamEndCapture)(stream, captured) == 0);
  return result;
}

static void a_captured_allocation_is_a_node(void) {
  gpu_start();
  address memory;
  graph captured;
  CHECK(get(&memory, MIB) == 0);
  CHECK(capture(gpu_new_stream(), 64 * MIB, &captured) == 0 && in_use() == MIB);
  CHECK(run(instantiate(captured)) == 0 && in_use() == 65 * MIB);
}

static void graphs_are_limited(void) {
  setenv("GIVEWAY_MEMORY", "104857600", 1);
  gpu_start();
  address memory;
  graph wanted = new_graph(), captured;
  const char *name = GPU("hipGraphAddMemAllocNode", "cuGraphAddMemAllocNode");
  uint64_t calls = gpu_fake_calls(name);
  CHECK(add_allocation(wanted, 101 * MIB) == OUT_OF_MEMORY && gpu_fake_calls(name) == calls);
  CHECK(capture(gpu_new_stream(), 101 * MIB, &captured) == OUT_OF_MEMORY && in_use() == 0);
  CHECK(add_allocation(wanted, 60 * MIB) == 0 && in_use() == 0);
  CHECK(run(instantiate(wanted)) == 0 && in_use() == 60 * MIB);
  CHECK(get(&memory, 41 * MIB) == OUT_OF_MEMORY && get(&memory, 40 * MIB) == 0);
  CHECK(add_allocation(wanted, 61 * MIB) == OUT_OF_MEMORY);
}

/* The pool keeps what a graph had that is destroyed. */
static void a_graph_is_built_again(void) {
  setenv("GIVEWAY_MEMORY", "104857600", 1);
  gpu_start();
  graph wanted = new_graph(), captured;
  CHECK(add_allocation(wanted, 60 * MIB) == 0 && run(instantiate(wanted)) == 0);
  CHECK(add_allocation(new_graph(), 60 * MIB) == 0);
  CHECK(capture(gpu_new_stream(), 60 * MIB, &captured) == 0 && in_use() == 60 * MIB);
  CHECK(add_allocation(new_graph(), 100 * MIB) == 0);
  CHECK(add_allocation(new_graph(), 101 * MIB) == OUT_OF_MEMORY);
}

#define NODES 60000
static _Atomic int nodes;

static void *add_nodes(void *unused) {
  graph wanted = new_graph();
  while (atomic_fetch_add(&nodes, 1) < NODES) {
    CHECK(add_allocation(wanted, 60 * MIB) == 0);
  }
  return unused;
}

/* A node takes nothing, not even for a moment. */
static void a_node_is_not_in_the_way(void) {
  setenv("GIVEWAY_MEMORY", "104857600", 1);
  gpu_start();
  pthread_t thread;
  address memory;
  CHECK(get(&memory, 1) == 0 && pthread_create(&thread, NULL, add_nodes, NULL) == 0);
  struct gw_row *row = &raw_page_of(GPU_DEVICE)->rows[gpu_task_of(getpid()).row];
  while (atomic_load(&nodes) < NODES) {
    CHECK(row->memory == 1);
  }
  CHECK(pthread_join(thread, NULL) == 0);
}

#ifndef GENERATION
static void *fake_function(const char *name) {
  void *function = dlsym(dlopen(getenv(GPU_LIBRARY), RTLD_LAZY), name);
  CHECK(function != NULL);
  return function;
}

static CUcontext context;

static void *run_in_thread(void *what) {
  CHECK(cuCtxSetCurrent(context) == 0 && run(what) == 0);
  return NULL;
}

/* The thread that has read the pool first notes last what it has read. */
static void two_graphs_run_at_once(void) {
  gpu_start();
  graph small = new_graph(), large = new_graph();
  CHECK(add_allocation(small, 60 * MIB) == 0 && add_allocation(large, 90 * MIB) == 0);
  executable first = instantiate(small), second = instantiate(large);
  CHECK(cuCtxGetCurrent(&context) == 0 && run(first) == 0 && in_use() == 60 * MIB);
  ((void (*)(const char *))fake_function("fake_block"))("graph_pool_was_read");
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, run_in_thread, first) == 0);
  CHECK(until(((bool (*)(void))fake_function("fake_blocked"))(), 60000));
  CHECK(run(second) == 0 && in_use() == 90 * MIB);
  ((void (*)(void))fake_function("fake_unblock"))();
  CHECK(pthread_join(thread, NULL) == 0 && in_use() == 90 * MIB);
  /* Each launch asks once, however many others there are meanwhile. */
  CHECK(gpu_fake_calls("cuDeviceGetGraphMemAttribute") == 3);
}

static void spoil_page(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    open_page_of(GPU_DEVICE);
    raw_page_of(GPU_DEVICE)->header.magic = 1;
    _exit(0);
  }
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* On a device whose page cannot be used. The graph is on another one. */
static void an_allocation_without_a_task_is_no_node(void) {
  setenv("GIVEWAY_FAKE_DEVICES", "2", 1);
  spoil_page();
  gpu_start();
  address memory;
  CHECK(get(&memory, MIB) == 0);
  CHECK(cuDevicePrimaryCtxRetain(&context, 1) == 0 && cuCtxSetCurrent(context) == 0);
  CHECK(get(&memory, MIB) == 0 && run(instantiate(new_graph())) == 0);
  CHECK(gpu_fake_calls("cuDeviceGetGraphMemAttribute") == 0);
}
#endif

static const struct test_case cases[] = {
    {"arrays have sizes", arrays_have_sizes},
#ifdef GENERATION
    {"arrays of channels", arrays_of_channels},
#endif
    {"arrays are limited", arrays_are_limited},
    {"arrays go with their context", arrays_go_with_their_context},
    {"a graph is charged when it runs", a_graph_is_charged_when_it_runs},
#ifdef ANY_NODE
    {"nodes of any kind", nodes_of_any_kind},
#endif
    {"a captured allocation is a node", a_captured_allocation_is_a_node},
    {"graphs are limited", graphs_are_limited},
    {"a graph is built again", a_graph_is_built_again},
    {"a node is not in the way", a_node_is_not_in_the_way},
#ifndef GENERATION
    {"two graphs run at once", two_graphs_run_at_once},
    {"an allocation without a task is no node", an_allocation_without_a_task_is_no_node},
#endif
};
RUN_CASES(cases, 240)
