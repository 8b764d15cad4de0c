/* Checks the stand-in's promises about order and time, through a real runtime: hip_order
 * CODE-OBJECT.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "hip_kernels.h"

#define NOT_READY 600

int hipEventCreateWithFlags(hipEvent_t *event, unsigned flags);
int hipEventRecord(hipEvent_t event, hipStream_t stream);
int hipEventSynchronize(hipEvent_t event);
int hipEventElapsedTime(float *ms, hipEvent_t start, hipEvent_t stop);
int hipStreamWaitEvent(hipStream_t stream, hipEvent_t event, unsigned flags);
int hipLaunchHostFunc(hipStream_t stream, void (*function)(void *), void *argument);

#define SO(condition) MUST(!(condition))

static void launch(hipFunction_t function, hipStream_t stream) {
  MUST(hipModuleLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
}

static hipStream_t new_stream(void) {
  hipStream_t stream;
  MUST(hipStreamCreateWithFlags(&stream, 1));
  return stream;
}

static hipEvent_t new_event(void) {
  hipEvent_t event;
  MUST(hipEventCreateWithFlags(&event, 0));
  return event;
}

/* 5 kernels of 200 µs take 1 ms, and not much more while no other process has work. */
static void kernels_take_their_time(void) {
  hipStream_t stream = new_stream();
  hipEvent_t start = new_event(), stop = new_event();
  hipFunction_t function = module_kernel("ns_200000");
  float ms = 0;
  MUST(hipEventRecord(start, stream));
  for (int i = 0; i < 5; i++) {
    launch(function, stream);
  }
  MUST(hipEventRecord(stop, stream));
  MUST(hipEventSynchronize(stop));
  MUST(hipEventElapsedTime(&ms, start, stop));
  SO(ms >= 0.99f && ms < 1000);
}

/* A device runs one kernel at a time, also from different streams. */
static void streams_share_the_device(void) {
  hipStream_t first = new_stream(), second = new_stream();
  hipEvent_t start = new_event(), stop = new_event(), other = new_event();
  hipFunction_t function = module_kernel("ns_20000000");
  float ms = 0, other_ms = 0;
  MUST(hipEventRecord(start, first));
  MUST(hipEventSynchronize(start)); /* the second stream may begin before the first one */
  launch(function, first);
  launch(function, second);
  MUST(hipEventRecord(stop, first));
  MUST(hipEventRecord(other, second));
  MUST(hipDeviceSynchronize());
  MUST(hipEventElapsedTime(&ms, start, stop));
  MUST(hipEventElapsedTime(&other_ms, start, other));
  SO((ms > other_ms ? ms : other_ms) >= 39);
}

static void wait_for_flag(void *flag) {
  while (!atomic_load((_Atomic bool *)flag)) {
    usleep(1000);
  }
}

static void a_stream_waits_for_an_event(void) {
  hipStream_t first = new_stream(), second = new_stream();
  hipEvent_t event = new_event();
  _Atomic bool asked = false;
  MUST(hipLaunchHostFunc(first, wait_for_flag, &asked));
  launch(module_kernel("ns_20000000"), first);
  MUST(hipEventRecord(event, first));
  MUST(hipStreamWaitEvent(second, event, 0));
  launch(module_kernel("other"), second);
  SO(hipEventQuery(event) == NOT_READY && hipStreamQuery(second) == NOT_READY);
  atomic_store(&asked, true);
  MUST(hipStreamSynchronize(second));
  MUST(hipEventQuery(event));
  MUST(hipStreamQuery(first));
}

static void copy_flag(void *flag) { *(int *)flag = 1; }

static void copies_and_callbacks_come_after_kernels(void) {
  hipStream_t stream = new_stream();
  static char sent[1 << 20], received[1 << 20];
  void *memory;
  int called = 0;
  memset(sent, 42, sizeof sent);
  MUST(hipMalloc(&memory, sizeof sent));
  MUST(hipMemcpyAsync(memory, sent, sizeof sent, 1, stream));
  launch(module_kernel("ns_20000000"), stream);
  MUST(hipMemcpyAsync(received, memory, sizeof sent, 2, stream));
  MUST(hipLaunchHostFunc(stream, copy_flag, &called));
  MUST(hipStreamSynchronize(stream));
  SO(called == 1 && memcmp(sent, received, sizeof sent) == 0);
  MUST(hipFree(memory));
}

int main(int count, char **arguments) {
  MUST(count != 2);
  read_code(arguments[1]);
  kernels_take_their_time();
  streams_share_the_device();
  a_stream_waits_for_an_event();
  copies_and_callbacks_come_after_kernels();
  return 0;
}
