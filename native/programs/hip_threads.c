/* Threads that come and go with streams of their own, on a real runtime:
 * hip_threads CODE-OBJECT SECONDS. Every call must return success, as without a shim. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "hip_kernels.h"

int hipEventCreateWithFlags(hipEvent_t *event, unsigned flags);
int hipEventDestroy(hipEvent_t event);
int hipEventRecord(hipEvent_t event, hipStream_t stream);
int hipEventSynchronize(hipEvent_t event);

static hipFunction_t kernel;
static time_t end;
static _Atomic unsigned rounds;

static void launch(hipStream_t stream, int count) {
  for (int i = 0; i < count; i++) {
    MUST(hipModuleLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
  }
}

static void *work(void *number) {
  char bytes[4096] = "";
  while (time(NULL) < end) {
    hipStream_t stream;
    hipEvent_t event;
    void *memory;
    MUST(hipStreamCreateWithFlags(&stream, 1));
    MUST(hipEventCreateWithFlags(&event, 0));
    MUST(hipMalloc(&memory, sizeof bytes));
    launch(stream, 20);
    MUST(hipMemcpyAsync(memory, bytes, sizeof bytes, 1, stream));
    MUST(hipEventRecord(event, stream));
    launch((hipStream_t)2, 5);
    if ((uintptr_t)number % 2 == 0) {
      MUST(hipEventSynchronize(event));
    }
    MUST(hipStreamDestroy(stream)); /* with work in flight, or without */
    MUST(hipEventDestroy(event));
    MUST(hipStreamSynchronize((hipStream_t)2));
    MUST(hipFree(memory));
    MUST(hipGetLastError());
    rounds++;
  }
  return NULL;
}

int main(int count, char **arguments) {
  pthread_t threads[4];
  MUST(count != 3);
  read_code(arguments[1]);
  kernel = module_kernel("ns_50000");
  end = time(NULL) + atoi(arguments[2]);
  puts("ready");
  fflush(stdout);
  for (uintptr_t i = 0; i < 4; i++) {
    pthread_create(&threads[i], NULL, work, (void *)i);
  }
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
  }
  MUST(hipDeviceSynchronize());
  MUST(hipDeviceReset());
  kernel = module_kernel("ns_50000");
  launch(NULL, 100);
  printf("%u\n", rounds);
  return 0; /* with work in flight */
}
