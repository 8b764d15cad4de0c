/* Several devices in one process, under the CUDA shim. */
#include "cuda_harness.h"

static bool page_exists(const char *device) {
  gw_page *page;
  return gw_page_open(device, 0, &page) == GW_OK;
}

static uint64_t launches_on(const char *device) {
  gw_page *page;
  struct gw_task_info infos[8];
  uint64_t launches = 0;
  CHECK(gw_page_open(device, 0, &page) == GW_OK);
  for (int i = gw_tasks(page, infos, 8); i-- > 0;) {
    launches += infos[i].launches;
  }
  return launches;
}

static bool has_active_task(const char *device) {
  gw_page *page;
  struct gw_task_info infos[8];
  bool active = false;
  CHECK(gw_page_open(device, 0, &page) == GW_OK);
  for (int i = gw_tasks(page, infos, 8); i-- > 0;) {
    active = active || infos[i].active;
  }
  return active;
}

/* In the place of Python's, which libgiveway looks for. */
static _Atomic int holds_lock;
__attribute__((visibility("default"))) int Py_IsInitialized(void) { return 1; }
__attribute__((visibility("default"))) int PyGILState_Check(void) { return holds_lock; }

#define FIRST DEVICE
#define SECOND "GPU-fafafafa-fafa-fafa-fafa-fafafafafa01"

static void start_with(const char *visible, CUcontext contexts[2], int count) {
  setenv("GIVEWAY_FAKE_DEVICES", "2", 1);
  setenv("CUDA_VISIBLE_DEVICES", visible, 1);
  start_cuda();
  int seen = 0;
  CHECK(cuDeviceGetCount(&seen) == 0 && seen == count);
  for (int i = 0; i < count; i++) {
    CHECK(cuDevicePrimaryCtxRetain(&contexts[i], i) == 0);
  }
}

static void a_page_for_each_uuid(void) {
  CUcontext contexts[2];
  start_with("1,0", contexts, 2);
  CUfunction f = kernel("ns_0");
  for (int i = 0; i < 6; i++) {
    CHECK(cuCtxSetCurrent(contexts[i % 3 == 0]) == 0 && launch(f, NULL) == 0);
  }
  CHECK(launches_on(SECOND) == 4 && launches_on(FIRST) == 2);
}

static void the_only_visible_one_has_its_own_page(void) {
  CUcontext contexts[2];
  start_with("1", contexts, 1);
  CHECK(launch(kernel("ns_0"), NULL) == 0);
  CHECK(launches_on(SECOND) == 1 && !page_exists(FIRST));
}

static void hold_on_one_device(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1); /* else the device holds it, and the program goes on */
  CUcontext contexts[2];
  start_with("1,0", contexts, 2);
  struct waiter w = {.function = kernel("ns_0"), .context = contexts[1]};
  for (int i = 0; i < 2; i++) {
    CHECK(cuCtxSetCurrent(contexts[i]) == 0 && launch(w.function, NULL) == 0);
  }
  gw_task *urgent = rival(); /* on the first, which is device 1 here */
  gw_begin(urgent);
  pthread_t thread;
  pthread_create(&thread, NULL, launch_in_thread, &w);
  CHECK(somebody_waits(FIRST));
  CHECK(atomic_load(&w.state) == 1);
  CHECK(cuCtxSetCurrent(contexts[0]) == 0 && launch(w.function, NULL) == 0);
  gw_end(urgent);
  gw_idle(urgent);
  pthread_join(thread, NULL);
}

static void a_rival_on_one_device_holds_there_only(void) { hold_on_one_device(); }

/* One priority: no thread of the process is urgent. */
static void a_process_with_pythons_lock_is_held_too(void) {
  holds_lock = 1;
  hold_on_one_device();
}

/* An urgent thread may wait for the lock. */
static void a_thread_with_pythons_lock_is_not_held(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_STREAM_GATE_US", "0", 1);
  start_cuda();
  holds_lock = 1;
  gw_own *own;
  CHECK(gw_enter("cuda", "own", 1, &own) == GW_OK);
  CHECK(launch(kernel("ns_0"), NULL) == 0);
  gw_task *urgent = rival();
  gw_begin(urgent);
  CHECK(launch(kernel("ns_0"), NULL) == 0);
  gw_exit(own);
}

/* A copy between two devices is often on a stream of the other one. */
static void copies_belong_to_the_device_of_their_stream(void) {
  CUcontext contexts[2];
  start_with("0,1", contexts, 2);
  CUstream stream;
  CUfunction f = kernel("ns_0");
  char to[16], from[16];
  for (int i = 0; i < 2; i++) {
    CHECK(cuCtxSetCurrent(contexts[i]) == 0 && launch(f, NULL) == 0);
  }
  CHECK(cuStreamCreate(&stream, 1) == 0 && cuCtxSetCurrent(contexts[0]) == 0);
  CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)to, from, sizeof to, stream) == 0);
  CHECK(cuMemsetD8Async((CUdeviceptr)to, 1, sizeof to, stream) == 0);
  CHECK(launches_on(FIRST) == 1 && launches_on(SECOND) == 3);
  CHECK(cuStreamSynchronize(stream) == 0);
}

/* The first of the process on the other device. */
static void copies_join_the_device_of_their_stream(void) {
  CUcontext contexts[2];
  start_with("0,1", contexts, 2);
  CUstream stream;
  char to[16], from[16];
  CHECK(cuCtxSetCurrent(contexts[1]) == 0 && cuStreamCreate(&stream, 1) == 0);
  CHECK(cuCtxSetCurrent(contexts[0]) == 0);
  CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)to, from, sizeof to, stream) == 0);
  CHECK(launches_on(SECOND) == 1 && !page_exists(FIRST));
  CHECK(cuStreamSynchronize(stream) == 0 && until(!has_active_task(SECOND), 60000));
}

static const struct test_case cases[] = {
    {"a page for each UUID", a_page_for_each_uuid},
    {"the only visible one has its own page", the_only_visible_one_has_its_own_page},
    {"copies belong to the device of their stream", copies_belong_to_the_device_of_their_stream},
    {"copies join the device of their stream", copies_join_the_device_of_their_stream},
    {"a rival on one device holds there only", a_rival_on_one_device_holds_there_only},
    {"a process with Python's lock is held, too", a_process_with_pythons_lock_is_held_too},
    {"a thread with Python's lock is not held", a_thread_with_pythons_lock_is_not_held},
};
RUN_CASES(cases, 240)
