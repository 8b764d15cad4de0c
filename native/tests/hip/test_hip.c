/* The HIP shim of one generation over the fake runtime; run with the shim preloaded. */
#include <dlfcn.h>
#include <pthread.h>

#include "harness.h"
#include "hip_api.h"
#include "hip_launches.h"

#define DEVICE "GPU-fa00000000000000"
#define US UINT64_C(1000)

static hipModule_t module;

static uint64_t ask_fake(const char *question, const char *argument) {
  void *fake = dlopen(getenv("GIVEWAY_HIP_LIBRARY"), RTLD_LAZY);
  CHECK(fake != NULL);
  uint64_t (*ask)(const char *) = (uint64_t (*)(const char *))dlsym(fake, question);
  CHECK(ask != NULL);
  return ask(argument);
}

static uint64_t fake_calls(const char *name) { return ask_fake("fake_calls", name); }

static uint64_t in_flight_ns(void) { return ask_fake("fake_in_flight_ns", NULL); }

/* The device waits for a word in memory: a gate, or one of the test. */
static bool fake_held(void) { return (ask_fake("fake_held", NULL) & 0xff) != 0; }

static void fake_occupy(void) { ask_fake("fake_occupy", NULL); }

static hipFunction_t kernel(const char *name) {
  hipFunction_t function;
  CHECK(hipModuleGetFunction(&function, module, name) == 0);
  return function;
}

static void start_hip(void) { CHECK(hipModuleLoadData(&module, "") == 0); }

static hipStream_t new_stream(void) {
  hipStream_t stream;
  CHECK(hipStreamCreateWithFlags(&stream, 1) == 0);
  return stream;
}

/* A more urgent task on the same device. While it has work, all other gates are closed. */
static gw_task *rival_on(const char *device) {
  gw_page *page;
  gw_task *task;
  struct gw_task_options options = {.name = "rival", .priority = 10};
  CHECK(gw_page_open(device, 1, &page) == GW_OK && gw_join(page, &options, &task) == GW_OK);
  return task;
}

static gw_task *rival(void) { return rival_on(DEVICE); }

static struct gw_task_info own_task(void) {
  gw_page *page;
  struct gw_task_info infos[8];
  CHECK(gw_page_open(DEVICE, 0, &page) == GW_OK);
  int n = gw_tasks(page, infos, 8);
  for (int i = 0; i < n; i++) {
    if (strcmp(infos[i].name, "rival") != 0) {
      return infos[i];
    }
  }
  return (struct gw_task_info){.row = UINT32_MAX};
}

/* Waits until the program's watcher has looked several times, and would have made the task idle. */
static void await_watcher(void) { await_looks(&raw_page_of(DEVICE)->rows[own_task().row], 5); }

/* Each launch counts once, also where the runtime implements it by another launch. */
static void every_launch_is_seen_once(void) {
  start_hip();
  hipStream_t stream = new_stream();
  hipFunction_t f = kernel("ns_0");
  uint64_t expected = 0;
  for (size_t i = 0; i < LAUNCHES; i++) {
    CHECK(launches[i].run(f, NULL) == 0 && launches[i].run(f, stream) == 0);
    CHECK(launches[i].run(f, (hipStream_t)2) == 0);
    expected += 3;
    if (own_task().launches != expected || fake_calls(launches[i].name) < 3) {
      fprintf(stderr, "%s: %d launches seen, %d calls\n", launches[i].name,
              (int)own_task().launches, (int)fake_calls(launches[i].name));
      _exit(1);
    }
  }
  CHECK(hipDeviceSynchronize() == 0);
}

/* Only a hook that finds the stream among the arguments knows which one is captured. */
static void every_launch_knows_its_stream(void) {
  start_hip();
  hipStream_t stream = new_stream(), other = new_stream();
  hipFunction_t f = kernel("ns_0");
  CHECK(by_address(f, NULL) == 0);
  uint64_t before = own_task().launches;
  hipGraph_t graph;
  size_t nodes = 0;
  CHECK(hipStreamBeginCapture(stream, 0) == 0);
  for (size_t i = 0; i < LAUNCHES; i++) {
    CHECK(launches[i].run(f, stream) == 0 && own_task().launches == before);
    CHECK(launches[i].run(f, other) == 0);
    if (own_task().launches != ++before) {
      fprintf(stderr, "%s\n", launches[i].name);
      _exit(1);
    }
  }
  CHECK(hipStreamEndCapture(stream, &graph) == 0);
  CHECK(hipGraphGetNodes(graph, NULL, &nodes) == 0 && nodes == LAUNCHES);
  hipGraphExec_t exec;
  CHECK(hipGraphInstantiateWithFlags(&exec, graph, 0) == 0 && hipGraphLaunch(exec, stream) == 0);
  CHECK(own_task().launches == before + 1);
}

/* Failures of the shim's own calls neither set HIP's last error nor hide the program's. */
static void own_failures_stay_ours(void) {
  setenv("GIVEWAY_FAKE_ERRORS", "hipEventCreateWithFlags=2,hipEventRecord=2,hipDeviceGetUuid=1", 1);
  start_hip();
  hipFunction_t f = kernel("ns_1000");
  rival_on("GPU-pci-0000-c0-00.0");
  for (int i = 0; i < 100; i++) {
    CHECK(by_address(f, NULL) == 0 && hipPeekAtLastError() == 0);
  }
  CHECK(fake_calls("hipDeviceGetPCIBusId") == 1 && fake_calls("hipEventCreateWithFlags") > 0);
  CHECK(hipDeviceSynchronize() == 0 && hipGetLastError() == 0);
}

static void a_pending_error_stays(void) {
  start_hip();
  hipFunction_t f = kernel("ns_1000");
  rival();
  CHECK(of_module(NULL, NULL) == 400);
  for (int i = 0; i < 100; i++) {
    CHECK(by_address(f, NULL) == 0);
  }
  CHECK(fake_calls("hipEventRecord") > 0);
  CHECK(hipGetLastError() == 400 && hipGetLastError() == 0);
}

struct waiter {
  hipFunction_t function;
  hipStream_t stream;
  _Atomic int state;
};

static void *launch_in_thread(void *argument) {
  struct waiter *w = argument;
  atomic_store(&w->state, 1);
  CHECK(by_address(w->function, w->stream) == 0);
  atomic_store(&w->state, 2);
  return NULL;
}

static void held_on(hipStream_t stream) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_hip();
  struct waiter w = {.function = kernel("ns_0"), .stream = stream};
  CHECK(by_address(w.function, w.stream) == 0);
  gw_task *urgent = rival();
  gw_begin(urgent);
  uint64_t calls = fake_calls("hipLaunchKernel");
  pthread_t thread;
  pthread_create(&thread, NULL, launch_in_thread, &w);
  CHECK(somebody_waits(DEVICE));
  CHECK(atomic_load(&w.state) == 1 && fake_calls("hipLaunchKernel") == calls);
  gw_end(urgent);
  gw_idle(urgent);
  pthread_join(thread, NULL);
  CHECK(atomic_load(&w.state) == 2 && own_task().held == 1);
}

static void null_stream_is_held(void) { held_on(NULL); }
static void per_thread_stream_is_held(void) { held_on((hipStream_t)2); }
static void created_stream_is_held(void) {
  start_hip();
  held_on(new_stream());
}

#define FOR_EVER "ns_1000000000000" /* longer than any test runs */

/* The device time that fits into the window while the device is busy for ever. A launch that
 * finds no room queries the events. The last of them waits in vain, because the window is suspended
 * from then on. */
static void window_holds(void) {
  start_hip();
  hipFunction_t f = kernel("ns_100000");
  gw_task *urgent = rival();
  for (int i = 0; i < 300; i++) { /* until it is known exactly how long they take */
    ask_fake("fake_pause", NULL);
    CHECK(by_address(f, NULL) == 0);
    ask_fake("fake_resume", NULL);
    CHECK(hipDeviceSynchronize() == 0);
  }
  gw_leave(urgent);
  fake_occupy();
  uint64_t before = in_flight_ns(), found = 0;
  rival();
  for (int i = 0; i < 12; i++) {
    uint64_t now = in_flight_ns() - before, asked = fake_calls("hipEventQuery");
    CHECK(by_address(f, NULL) == 0);
    found = fake_calls("hipEventQuery") > asked ? now : found;
  }
  CHECK(found >= 200 * US && found <= 500 * US && fake_calls("hipStreamWaitValue32") == 0);
}

static void stream_gate_where_asked_for(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "250", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_hip();
  hipFunction_t f = kernel("ns_1000000");
  static _Atomic uint32_t go;
  gw_task *urgent = rival();
  CHECK(hipStreamWaitValue32(NULL, (void *)&go, 1, 0, UINT32_MAX) == 0);
  for (int i = 0; i < 20; i++) {
    CHECK(by_address(f, NULL) == 0);
  }
  gw_begin(urgent);
  atomic_store(&go, 1);
  CHECK(until(fake_held(), 60000) && in_flight_ns() >= 10 * MS);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(hipDeviceSynchronize() == 0 && fake_calls("hipStreamWaitValue32") > 0);
}

/* However much of its work is in flight. */
static void nobody_urgent_nothing_waits(void) {
  start_hip();
  hipFunction_t f = kernel(FOR_EVER);
  for (int i = 0; i < 1000; i++) {
    CHECK(by_address(f, NULL) == 0);
  }
}

static void *keep_launching(void *argument) {
  struct waiter *w = argument;
  while (atomic_load(&w->state) == 0) {
    CHECK(by_address(w->function, w->stream) == 0);
  }
  return NULL;
}

static void captures_are_not_disturbed(void) {
  start_hip();
  hipStream_t stream = new_stream();
  hipFunction_t f = kernel("ns_50000");
  struct waiter w = {.function = kernel("ns_1000"), .stream = new_stream()};
  gw_task *urgent = rival();
  pthread_t thread;
  pthread_create(&thread, NULL, keep_launching, &w);
  for (int round = 0; round < 5; round++) {
    hipGraph_t graph;
    hipGraphExec_t exec;
    size_t nodes = 0;
    CHECK(hipStreamBeginCapture(stream, 0) == 0);
    gw_begin(urgent); /* captured launches pass a closed gate */
    for (int i = 0; i < 300; i++) {
      CHECK(by_address(f, stream) == 0);
    }
    gw_end(urgent);
    gw_idle(urgent);
    CHECK(hipStreamEndCapture(stream, &graph) == 0);
    CHECK(hipGraphGetNodes(graph, NULL, &nodes) == 0 && nodes == 300);
    CHECK(hipGraphInstantiateWithFlags(&exec, graph, 0) == 0 && hipGraphLaunch(exec, stream) == 0);
  }
  atomic_store(&w.state, 1);
  pthread_join(thread, NULL);
  CHECK(hipDeviceSynchronize() == 0);
}

/* In AMD's runtime, a query of an event reads the stream where the event was recorded. */
static void events_are_let_alone(bool destroyed) {
  start_hip();
  rival();
  hipStream_t first = new_stream(), second = new_stream();
  hipFunction_t f = kernel("ns_5000000");
  hipGraph_t graph;
  CHECK(by_address(f, first) == 0 && by_address(f, first) == 0);
  CHECK((destroyed ? hipStreamDestroy(first) : hipStreamBeginCapture(first, 0)) == 0);
  for (int i = 0; i < 5; i++) { /* more than fits into the window: events are asked */
    CHECK(by_address(f, second) == 0);
  }
  CHECK(fake_calls("hipEventQuery") > 0);
  CHECK(destroyed || hipStreamEndCapture(first, &graph) == 0);
  CHECK(hipDeviceSynchronize() == 0 && hipGetLastError() == 0);
}

static void events_of_a_captured_stream(void) { events_are_let_alone(false); }
static void events_of_a_destroyed_stream(void) { events_are_let_alone(true); }

static void idle_after_synchronising(void) {
  start_hip();
  static _Atomic uint32_t word;
  CHECK(hipStreamWaitValue32(NULL, (void *)&word, 1, 0, UINT32_MAX) == 0);
  CHECK(by_address(kernel("ns_1000"), NULL) == 0);
  await_watcher();
  CHECK(own_task().active); /* the device is not done */
  atomic_store(&word, 1);
  CHECK(hipStreamSynchronize(NULL) == 0);
  CHECK(until(!own_task().active, 60000));
}

/* The watcher queries under locks that hooks take as well. */
static void the_watcher_asks_a_runtime_that_calls_itself(void) {
  setenv("GIVEWAY_FAKE_REENTERS", "1", 1);
  start_hip();
  CHECK(by_address(kernel(FOR_EVER), NULL) == 0);
  await_watcher();
  CHECK(fake_calls("hipStreamDestroy") > 0 && own_task().active);
}

static void two_devices_two_pages(void) {
  setenv("GIVEWAY_FAKE_DEVICES", "2", 1);
  start_hip();
  hipFunction_t f = kernel("ns_0");
  gw_page *page;
  struct gw_task_info info;
  CHECK(hipSetDevice(1) == 0 && by_address(f, NULL) == 0 && by_address(f, NULL) == 0);
  CHECK(hipSetDevice(0) == 0 && by_address(f, NULL) == 0);
  CHECK(gw_page_open("GPU-fa00000000000001", 0, &page) == GW_OK);
  CHECK(gw_tasks(page, &info, 1) == 1 && info.launches == 2 && own_task().launches == 1);
}

/* The watcher, which queries streams, must stop before the runtime's exit handlers. */
static void exit_with_work_in_flight(void) {
  setenv("GIVEWAY_FAKE_END_MS", "50", 1);
  start_hip();
  CHECK(by_address(kernel(FOR_EVER), NULL) == 0);
  await_watcher();
}

static const struct test_case cases[] = {
    {"every launch is seen, once", every_launch_is_seen_once},
    {"every launch knows its stream", every_launch_knows_its_stream},
    {"our own failures stay ours", own_failures_stay_ours},
    {"a pending error stays", a_pending_error_stays},
    {"the NULL stream is held", null_stream_is_held},
    {"the per-thread stream is held", per_thread_stream_is_held},
    {"a created stream is held", created_stream_is_held},
    {"the window holds", window_holds},
    {"a stream gate where it is asked for", stream_gate_where_asked_for},
    {"nothing waits where nobody is more urgent", nobody_urgent_nothing_waits},
    {"captures are not disturbed", captures_are_not_disturbed},
    {"events of a captured stream are let alone", events_of_a_captured_stream},
    {"events of a destroyed stream are let alone", events_of_a_destroyed_stream},
    {"idle after synchronising", idle_after_synchronising},
    {"the watcher asks a runtime that calls itself", the_watcher_asks_a_runtime_that_calls_itself},
    {"two devices, two pages", two_devices_two_pages},
    {"exit with work in flight", exit_with_work_in_flight},
};
RUN_CASES(cases, 240)
