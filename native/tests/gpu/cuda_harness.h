/* Shared by the tests of the CUDA shim over the fake driver. */
#ifndef GIVEWAY_TEST_CUDA_HARNESS_H
#define GIVEWAY_TEST_CUDA_HARNESS_H

#include <dlfcn.h>
#include <pthread.h>

#include "cuda_api.h"
#include "harness.h"

#define DEVICE "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00"
#define US UINT64_C(1000)

static CUmodule module;

__attribute__((unused)) static uint64_t fake_calls(const char *name) {
  void *fake = dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY);
  CHECK(fake != NULL);
  uint64_t (*calls)(const char *) = (uint64_t (*)(const char *))dlsym(fake, "fake_calls");
  CHECK(calls != NULL);
  return calls(name);
}

__attribute__((unused)) static uint64_t fake_in_flight_ns(void) {
  void *fake = dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY);
  uint64_t (*f)(void) = (uint64_t (*)(void))dlsym(fake, "fake_in_flight_ns");
  CHECK(f != NULL);
  return f();
}

/* The device waits for a word in memory: a gate, or one of the test. */
__attribute__((unused)) static bool fake_held(void) {
  void *fake = dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY);
  bool (*f)(void) = (bool (*)(void))dlsym(fake, "fake_held");
  CHECK(f != NULL);
  return f();
}

__attribute__((unused)) static void ask_fake(const char *what) {
  void *fake = dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY);
  void (*f)(void) = (void (*)(void))dlsym(fake, what);
  CHECK(f != NULL);
  f();
}

__attribute__((unused)) static void start_cuda(void) {
  CUcontext context;
  CHECK(cuInit(0) == 0 && cuDevicePrimaryCtxRetain(&context, 0) == 0);
  CHECK(cuCtxSetCurrent(context) == 0 && cuModuleLoadData(&module, "") == 0);
}

__attribute__((unused)) static CUfunction kernel(const char *name) {
  CUfunction function;
  CHECK(cuModuleGetFunction(&function, module, name) == 0);
  return function;
}

__attribute__((unused)) static int launch(CUfunction function, CUstream stream) {
  return cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL);
}

/* A more urgent task on the same device. While it has work, all other gates are closed. */
__attribute__((unused)) static gw_task *rival(void) {
  gw_page *page;
  gw_task *task;
  struct gw_task_options options = {.name = "rival", .priority = 10};
  CHECK(gw_page_open(DEVICE, 1, &page) == GW_OK && gw_join(page, &options, &task) == GW_OK);
  return task;
}

__attribute__((unused)) static struct gw_task_info own_task(void) {
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

/* Launches the kernel so many times, each time once the last one is over. The device begins when
 * the shim's events are there too, so that they measure exactly as long as the kernel takes. */
__attribute__((unused)) static void make_known(CUfunction f, int launches) {
  for (int i = 0; i < launches; i++) {
    ask_fake("fake_pause");
    CHECK(launch(f, NULL) == 0);
    ask_fake("fake_resume");
    CHECK(cuCtxSynchronize() == 0);
  }
}

#define FOR_EVER "ns_1000000000000" /* longer than any test runs */

/* The device time that fits into the window while the device is busy for ever. A launch that
 * finds no room queries the events. The last of them waits in vain, because the window is suspended
 * from then on. */
__attribute__((unused)) static uint64_t window_of(CUfunction f) {
  gw_task *urgent = rival();
  make_known(f, 300);
  gw_leave(urgent);
  ask_fake("fake_occupy");
  uint64_t before = fake_in_flight_ns(), found = 0;
  rival();
  for (int i = 0; i < 12; i++) {
    uint64_t now = fake_in_flight_ns() - before, asked = fake_calls("cuEventQuery");
    CHECK(launch(f, NULL) == 0);
    found = fake_calls("cuEventQuery") > asked ? now : found;
  }
  return found;
}

/* Waits until the program's watcher has looked several times, and would have made the task idle. */
__attribute__((unused)) static void await_watcher(void) {
  await_looks(&raw_page_of(DEVICE)->rows[own_task().row], 5);
}

/* A thread that launches once: state 1 before, 2 after. */
struct waiter {
  CUfunction function;
  CUstream stream;
  CUcontext context;
  _Atomic int state;
};

__attribute__((unused)) static void *launch_in_thread(void *argument) {
  struct waiter *w = argument;
  CHECK(cuCtxSetCurrent(w->context) == 0);
  atomic_store(&w->state, 1);
  CHECK(launch(w->function, w->stream) == 0);
  atomic_store(&w->state, 2);
  return NULL;
}

#endif
