/* Launches kernels in every way that a real runtime has, and prints the expected number of each:
 * hip_dispatches CODE-OBJECT, built for one GENERATION. */
#include "../fake/api/hip_launches.h"
#include "hip_kernels.h"

int hipConfigureCall(dim3 grid, dim3 block, size_t shared, hipStream_t stream);
int hipLaunchByPtr(const void *function);
int hipStreamWriteValue32(hipStream_t stream, void *address, uint32_t value, unsigned flags);
int hipMemset(void *memory, int value, size_t size);
int hipMemsetAsync(void *memory, int value, size_t size, hipStream_t stream);
int hipEventCreateWithFlags(hipEvent_t *event, unsigned flags);
int hipEventRecord(hipEvent_t event, hipStream_t stream);
int hipEventSynchronize(hipEvent_t event);

struct params { /* of hipLaunchCooperativeKernelMultiDevice */
  const void *function;
  dim3 grid, block;
  void **arguments;
  size_t shared;
  hipStream_t stream;
};
int hipLaunchCooperativeKernelMultiDevice(struct params *list, int devices, unsigned flags);
int hipExtLaunchMultiKernelMultiDevice(struct params *list, int devices, unsigned flags);

static unsigned by_handle, addressed, of_graph, other;

static void every_launch(hipStream_t stream) {
  hipFunction_t handle = module_kernel("by_handle");
  hipFunction_t address = (hipFunction_t)(uintptr_t)program_kernel("by_address");
  hipStream_t streams[] = {NULL, stream, (hipStream_t)2};
  for (unsigned i = 0; i < LAUNCHES; i++) {
    /* In AMD's runtime these two follow the handle of the per-thread stream, and crash. */
    int count = strstr(launches[i].name, "hipHccModuleLaunchKernel") != NULL ||
                        strcmp(launches[i].name, "hipDrvLaunchKernelEx") == 0
                    ? 2
                    : 3;
    for (int j = 0; j < count; j++) {
      int result = launches[i].run(launches[i].by_address ? address : handle, streams[j]);
      if (result != 0) {
        fprintf(stderr, "%s on stream %d: %d\n", launches[i].name, j, result);
        exit(1);
      }
      *(launches[i].by_address ? &addressed : &by_handle) += 1;
    }
  }
  MUST(hipConfigureCall(one, one, 0, stream));
  MUST(hipLaunchByPtr(address));
  addressed++;
}

#if GENERATION >= 7
int hipLibraryLoadData(void **library, const void *code, void *options, void *values,
                       unsigned count, void *library_options, void *library_values,
                       unsigned library_count);
int hipLibraryGetKernel(void **kernel, void *library, const char *name);

/* Where older runtimes want an address, these take a handle too. */
static void kernels_of_libraries(hipStream_t stream) {
  void *library, *kernel;
  MUST(hipLibraryLoadData(&library, code, NULL, NULL, 0, NULL, NULL, 0));
  MUST(hipLibraryGetKernel(&kernel, library, "by_handle"));
  MUST(hipLaunchKernel(kernel, one, one, NULL, 0, stream));
  MUST(hipModuleLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
  by_handle += 2;
}
#endif

/* Calls that name their kernels in a structure, which the shim does not read. */
static void several_devices(hipStream_t stream) {
  struct params params = {program_kernel("other"), one, one, NULL, 0, stream};
  MUST(hipLaunchCooperativeKernelMultiDevice(&params, 1, 0));
  MUST(hipExtLaunchMultiKernelMultiDevice(&params, 1, 0));
  other += 2;
}

static void graphs(hipStream_t stream) {
  hipFunction_t function = module_kernel("of_graph");
  hipGraph_t graph;
  hipGraphExec_t exec;
  void *none[] = {NULL}; /* to capture, 5.7 wants arguments even where there are none */
  MUST(hipStreamBeginCapture(stream, 0));
  for (int i = 0; i < 5; i++) {
    MUST(hipModuleLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, none, NULL));
  }
  MUST(hipStreamEndCapture(stream, &graph));
  MUST(hipGraphInstantiateWithFlags(&exec, graph, 0));
  for (int i = 0; i < 3; i++) {
    MUST(hipGraphLaunch(exec, stream));
    of_graph += 5;
  }
}

static void memory(hipStream_t stream) {
  void *first, *second;
  char bytes[4096] = "";
  hipEvent_t event;
  MUST(hipMalloc(&first, 1 << 20));
  MUST(hipMalloc(&second, 1 << 20));
  MUST(hipMemset(first, 1, 1 << 20));
  MUST(hipMemsetAsync(second, 1, 1 << 20, stream));
  MUST(hipMemcpy(second, first, 1 << 20, 3));
  MUST(hipMemcpyAsync(first, second, 1 << 20, 3, stream));
  MUST(hipMemcpy(second, bytes, sizeof bytes, 1));
  MUST(hipMemcpyAsync(bytes, second, sizeof bytes, 2, stream));
  MUST(hipStreamWriteValue32(stream, first, 1, 0));
  MUST(hipEventCreateWithFlags(&event, 0));
  MUST(hipEventRecord(event, stream));
  MUST(hipEventSynchronize(event));
  MUST(hipFree(first));
  MUST(hipFree(second));
}

int main(int count, char **arguments) {
  hipStream_t stream;
  MUST(count != 2);
  read_code(arguments[1]);
  MUST(hipStreamCreateWithFlags(&stream, 1));
  every_launch(stream);
#if GENERATION >= 7
  kernels_of_libraries(stream);
#endif
  several_devices(stream);
  graphs(stream);
  memory(stream);
  MUST(hipDeviceSynchronize());
  MUST(hipStreamDestroy(stream));
  printf("{\"by_handle\": %u, \"by_address\": %u, \"of_graph\": %u, \"other\": %u}\n", by_handle,
         addressed, of_graph, other);
  return 0;
}
