/* Captures graphs in global mode while another thread launches, on a real runtime:
 * hip_capture CODE-OBJECT SECONDS. With a more urgent program beside it, the shim has events of its
 * own in flight all the while; a capture that these disturb ends with an error. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "hip_kernels.h"

#define NODES 50

static _Atomic int stop;

static int launch(hipFunction_t function, hipStream_t stream) {
  void *none[] = {NULL};
  return hipModuleLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, none, NULL);
}

static void *keep_launching(void *function) {
  hipStream_t stream;
  MUST(hipStreamCreateWithFlags(&stream, 1));
  while (!stop) { /* to ask whether they are done would end the capture */
    for (int i = 0; i < 10; i++) {
      MUST(launch(function, stream));
    }
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
  return NULL;
}

static void capture(hipFunction_t function, hipStream_t stream) {
  hipGraph_t graph;
  hipGraphExec_t exec;
  size_t nodes = 0;
  MUST(hipStreamBeginCapture(stream, 0));
  for (int i = 0; i < NODES; i++) {
    MUST(launch(function, stream));
    nanosleep(&(struct timespec){0, 100000}, NULL);
  }
  MUST(hipStreamEndCapture(stream, &graph));
  MUST(hipGraphGetNodes(graph, NULL, &nodes));
  MUST(nodes != NODES);
  MUST(hipGraphInstantiateWithFlags(&exec, graph, 0));
  MUST(hipGraphLaunch(exec, stream));
  MUST(hipStreamSynchronize(stream));
  MUST(hipGetLastError());
}

int main(int count, char **arguments) {
  hipStream_t stream;
  pthread_t thread;
  MUST(count != 3);
  read_code(arguments[1]);
  MUST(hipStreamCreateWithFlags(&stream, 1));
  hipFunction_t function = module_kernel("ns_50000");
  pthread_create(&thread, NULL, keep_launching, function);
  puts("ready");
  fflush(stdout);
  int captures = 0;
  for (time_t end = time(NULL) + atoi(arguments[2]); time(NULL) < end; captures++) {
    capture(function, stream);
  }
  stop = 1;
  pthread_join(thread, NULL);
  printf("%d\n", captures);
  return 0;
}
