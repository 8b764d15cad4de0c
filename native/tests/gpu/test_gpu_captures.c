/* Captures: launches that become part of a graph pass, and all other work is gated and watched as
 * before. Compiled for each API: see gpu.h. */
#include "gpu.h"

#define begin_capture GPU(hipStreamBeginCapture, cuStreamBeginCapture_v2)
#define end_capture GPU(hipStreamEndCapture, cuStreamEndCapture)
#define destroy_stream GPU(hipStreamDestroy, cuStreamDestroy_v2)
#define create_stream GPU(hipStreamCreateWithFlags, cuStreamCreate)
#define wait_event GPU(hipStreamWaitEvent, cuStreamWaitEvent)
#define record_event GPU(hipEventRecord, cuEventRecord)
#define create_event GPU(hipEventCreateWithFlags, cuEventCreate)
#define count_nodes GPU(hipGraphGetNodes, cuGraphGetNodes)
#define STREAM_QUERY GPU("hipStreamQuery", "cuStreamQuery")

typedef GPU(hipGraph_t, CUgraph) gpu_graph;
typedef GPU(hipEvent_t, CUevent) gpu_event;

static _Atomic uint32_t word;

static struct gw_task_info own_task(void) { return gpu_task_of(getpid()); }
static bool becomes_idle(void) { return until(!own_task().active, 30000); }

static void await_watcher(void) { await_looks(&raw_page_of(GPU_DEVICE)->rows[own_task().row], 5); }

/* The device works for the NULL stream until the word is 1. */
static void keep_busy(void) {
#ifdef GENERATION
  CHECK(hipStreamWaitValue32(NULL, (void *)&word, 1, 0, UINT32_MAX) == 0);
#else
  CHECK(cuStreamWaitValue32_v2(NULL, (CUdeviceptr)&word, 1, 0) == 0);
#endif
  CHECK(gpu_launch(gpu_get_kernel("ns_1000"), NULL) == 0);
}

static void stays_active_until_done(void) {
  keep_busy();
  await_watcher();
  CHECK(own_task().active && gpu_fake_calls(STREAM_QUERY) > 0);
  atomic_store(&word, 1);
  CHECK(gpu_sync() == 0 && becomes_idle());
}

static void work_beside_a_capture_keeps_the_task_active(void) {
  gpu_start();
  gpu_stream stream = gpu_new_stream();
  gpu_graph graph;
  CHECK(begin_capture(stream, 0) == 0);
  stays_active_until_done();
  CHECK(end_capture(stream, &graph) == 0);
}

static void a_stream_destroyed_during_its_capture_is_forgotten(void) {
  gpu_start();
  gpu_stream stream; /* while captured, it blocks the legacy stream */
  CHECK(create_stream(&stream, 0) == 0);
  CHECK(begin_capture(stream, 0) == 0 && destroy_stream(stream) == 0);
  uint64_t asked = gpu_fake_calls(GPU("hipStreamIsCapturing", "cuStreamIsCapturing"));
  stays_active_until_done();
  CHECK(gpu_fake_calls(GPU("hipStreamIsCapturing", "cuStreamIsCapturing")) == asked);
}

static void a_context_reset_during_a_capture_forgets_it(void) {
  gpu_start();
  gpu_stream stream; /* as above */
  CHECK(create_stream(&stream, 0) == 0 && begin_capture(stream, 0) == 0);
  CHECK(GPU(hipDeviceReset(), cuDevicePrimaryCtxReset_v2(0)) == 0 && gpu_retain() == 0);
  stays_active_until_done();
}

static void a_context_that_others_retain_keeps_its_captures(void) {
#ifndef GENERATION
  gpu_start();
  gpu_stream stream = gpu_new_stream();
  gpu_kernel kernel = gpu_get_kernel("ns_0");
  CHECK(gpu_launch(kernel, NULL) == 0 && begin_capture(stream, 0) == 0);
  CHECK(gpu_retain() == 0 && cuDevicePrimaryCtxRelease_v2(0) == 0);
  uint64_t before = gpu_launches();
  CHECK(gpu_launch(kernel, stream) == 0 && gpu_launches() == before);
#endif
}

static void only_captured_launches_pass(void) {
  gpu_start();
  gpu_stream stream = gpu_new_stream(), other = gpu_new_stream();
  gpu_kernel kernel = gpu_get_kernel("ns_0");
  gpu_graph graph;
  size_t nodes = 0;
  CHECK(gpu_launch(kernel, NULL) == 0);
  uint64_t before = gpu_launches();
  CHECK(begin_capture(stream, 0) == 0);
  CHECK(gpu_launch(kernel, stream) == 0 && gpu_launches() == before);
  CHECK(gpu_launch(kernel, NULL) == 0 && gpu_launch(kernel, other) == 0);
  CHECK(gpu_launches() == before + 2);
  CHECK(end_capture(stream, &graph) == 0);
  CHECK(count_nodes(graph, NULL, &nodes) == 0 && nodes == 1);
  CHECK(gpu_launch(kernel, stream) == 0 && gpu_launches() == before + 3);
}

/* The functions that begin a capture, and those that end it. */
static const char *const begins[] = {
    GPU("hipStreamBeginCapture", "cuStreamBeginCapture_v2"),
    GPU("hipStreamBeginCapture_spt", "cuStreamBeginCapture_v2_ptsz"),
};
static const char *const begins_to_graph[] = {
    GPU("hipStreamBeginCaptureToGraph", "cuStreamBeginCaptureToGraph"),
    GPU("hipStreamBeginCaptureToGraph_spt", "cuStreamBeginCaptureToGraph_ptsz"),
};
static const char *const ends[] = {
    GPU("hipStreamEndCapture", "cuStreamEndCapture"),
    GPU("hipStreamEndCapture_spt", "cuStreamEndCapture_ptsz"),
};

static int begin(int way, gpu_stream stream, gpu_graph graph) {
  if (way < 2) {
    return ((int (*)(gpu_stream, int))dlsym(RTLD_DEFAULT, begins[way]))(stream, 0);
  }
  int (*to_graph)(gpu_stream, gpu_graph, void *, void *, size_t, int) =
      (int (*)(gpu_stream, gpu_graph, void *, void *, size_t, int))dlsym(RTLD_DEFAULT,
                                                                         begins_to_graph[way - 2]);
  return to_graph != NULL ? to_graph(stream, graph, NULL, NULL, 0, 0) : -1; /* not in all of HIP */
}

static void every_way_to_begin_and_to_end_is_seen(void) {
  gpu_start();
  gpu_stream stream = gpu_new_stream();
  gpu_kernel kernel = gpu_get_kernel("ns_0");
  gpu_graph graph = NULL;
  CHECK(gpu_launch(kernel, stream) == 0);
  uint64_t launches = gpu_launches();
  int ways = 0;
  for (int way = 0; way < 4; way++) {
    if (begin(way, stream, graph) == 0) {
      CHECK(gpu_launch(kernel, stream) == 0 && gpu_launches() == launches);
      void *end = dlsym(RTLD_DEFAULT, ends[way % 2]);
      CHECK(((int (*)(gpu_stream, gpu_graph *))end)(stream, &graph) == 0);
      CHECK(gpu_launch(kernel, stream) == 0 && gpu_launches() == ++launches);
      ways++;
    }
  }
#ifdef GENERATION
  CHECK(ways == (GENERATION == 5 ? 2 : 3));
#else
  CHECK(ways == 4);
#endif
}

/* An event of the capture takes the other stream along. To query either would end the capture. */
static void a_stream_that_joins_is_captured_too(void) {
  setenv("GIVEWAY_LINGER_MS", "500", 1); /* the watcher does not look before that */
  gpu_start();
  gpu_stream origin = gpu_new_stream(), other = gpu_new_stream();
  gpu_kernel kernel = gpu_get_kernel("ns_0");
  gpu_graph graph;
  gpu_event event;
  size_t nodes = 0;
  CHECK(create_event(&event, 0) == 0 && gpu_launch(kernel, other) == 0);
  uint64_t before = gpu_launches();
  CHECK(begin_capture(origin, 0) == 0);
  CHECK(record_event(event, origin) == 0 && wait_event(other, event, 0) == 0);
  CHECK(gpu_launch(kernel, other) == 0 && gpu_launches() == before && becomes_idle());
  CHECK(end_capture(origin, &graph) == 0);
  CHECK(count_nodes(graph, NULL, &nodes) == 0 && nodes == 2); /* the record is one */
  CHECK(gpu_launch(kernel, other) == 0 && gpu_launches() == before + 1);
}

/* A wait for an event of no capture. */
static void a_stream_that_only_waits_is_watched(void) {
  gpu_start();
  gpu_stream origin = gpu_new_stream(), other = gpu_new_stream();
  gpu_graph graph;
  gpu_event event;
  CHECK(create_event(&event, 0) == 0 && begin_capture(origin, 0) == 0);
  keep_busy();
  CHECK(record_event(event, NULL) == 0 && wait_event(other, event, 0) == 0);
  CHECK(gpu_launch(gpu_get_kernel("ns_1000"), other) == 0);
  await_watcher();
  CHECK(own_task().active);
  atomic_store(&word, 1);
  CHECK(gpu_stream_sync(other) == 0 && end_capture(origin, &graph) == 0);
}

/* Any use of the legacy stream ends the capture of a stream that synchronises with it. */
static void the_legacy_stream_is_not_asked_beside_a_blocking_one(void) {
  setenv("GIVEWAY_LINGER_MS", "500", 1);
  gpu_start();
  gpu_stream stream;
  gpu_graph graph;
  CHECK(create_stream(&stream, 0) == 0);
  CHECK(gpu_launch(gpu_get_kernel("ns_1000"), NULL) == 0 && begin_capture(stream, 0) == 0);
  CHECK(becomes_idle() && end_capture(stream, &graph) == 0 && graph != NULL);
}

/* HIP does not work in a child, and its hooks do not see calls that are made inside of calls. */
#ifndef GENERATION
static void a_child_inherits_no_captures(void) {
  gpu_start();
  gpu_stream stream = gpu_new_stream();
  CHECK(begin_capture(stream, 0) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    gpu_start();
    stays_active_until_done();
    exit(0);
  }
  int status = -1;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static gpu_stream capturing;

static void end_it(void) {
  gpu_graph graph;
  if (capturing != NULL && end_capture(capturing, &graph) == 0) {
    capturing = NULL;
  }
}

/* The capture ends while the shim makes a call of its own. */
static void the_threads_capture_mode_is_restored(void) {
  gpu_start();
  gpu_kernel kernel = gpu_get_kernel("ns_1000");
  CHECK(gpu_launch(kernel, NULL) == 0);
  gpu_rival();
  capturing = gpu_new_stream();
  CHECK(begin_capture(capturing, 0) == 0);
  void *fake = dlopen(getenv(GPU_LIBRARY), RTLD_LAZY);
  void (*during)(const char *, void (*)(void)) =
      (void (*)(const char *, void (*)(void)))dlsym(fake, "fake_during");
  during("cuEventRecord", end_it);
  CHECK(gpu_launch(gpu_get_kernel("ns_2000"), NULL) == 0); /* timed, for it is new */
  int mode = 0;
  CHECK(capturing == NULL && cuThreadExchangeStreamCaptureMode(&mode) == 0 && mode == 0);
}
#endif

static const struct test_case cases[] = {
    {"work beside a capture keeps the task active", work_beside_a_capture_keeps_the_task_active},
    {"a stream destroyed during its capture", a_stream_destroyed_during_its_capture_is_forgotten},
    {"a context reset during a capture", a_context_reset_during_a_capture_forgets_it},
    {"a context that others retain", a_context_that_others_retain_keeps_its_captures},
    {"only captured launches pass", only_captured_launches_pass},
    {"every way to begin and to end", every_way_to_begin_and_to_end_is_seen},
    {"a stream that joins is captured too", a_stream_that_joins_is_captured_too},
    {"a stream that only waits is watched", a_stream_that_only_waits_is_watched},
    {"the legacy stream beside a blocking one",
     the_legacy_stream_is_not_asked_beside_a_blocking_one},
#ifndef GENERATION
    {"a child inherits no captures", a_child_inherits_no_captures},
    {"the thread's capture mode is restored", the_threads_capture_mode_is_restored},
#endif
};
RUN_CASES(cases, 120)
