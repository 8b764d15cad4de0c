/* Prints the runtime's results on a machine without an AMD GPU. Linked with the real library, so
 * that every reference names its version node. */
#include <stdio.h>
#include <string.h>

#include "../fake/api/hip_api.h"

int hipRuntimeGetVersion(int *version);
int hipDriverGetVersion(int *version);
int hipDeviceGetName(char *name, int size, int device);
int hipDeviceGetUuid(void *uuid, int device);
int hipMemset(void *memory, int value, size_t size);
int hipMemGetInfo(size_t *available, size_t *total);
int hipEventCreateWithFlags(hipEvent_t *event, unsigned flags);
int hipEventRecord(hipEvent_t event, hipStream_t stream);
int hipStreamIsCapturing(hipStream_t stream, int *status);
int hipHostMalloc(void **memory, size_t size, unsigned flags);
int __hipPushCallConfiguration(dim3 grid, dim3 block, size_t shared, hipStream_t stream);

static void say(const char *call, int result) {
  printf("%s = %d, last %d %d\n", call, result, hipPeekAtLastError(), hipGetLastError());
}
#define SAY(call) say(#call, call)

static void runtimes(void) {
  char line[4096];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    if (strstr(line, "/libamdhip64.so") != NULL && strstr(line, " r-xp ") != NULL) {
      fprintf(stderr, "%s", strchr(line, '/'));
    }
  }
}

int main(void) {
  int n = 0;
  size_t a, b;
  char text[64] = "";
  void *memory = NULL;
  dim3 one = {1, 1, 1};
  hipModule_t module = NULL;
  hipFunction_t function = NULL;
  hipStream_t stream = NULL;
  hipEvent_t event = NULL;
  SAY(hipInit(0));
  SAY(hipGetDeviceCount(&n));
  SAY(hipGetDevice(&n));
  SAY(hipSetDevice(0));
  SAY(hipRuntimeGetVersion(&n));
  printf("runtime %d\n", n);
  SAY(hipDriverGetVersion(&n));
  SAY(hipDeviceGetName(text, sizeof text, 0));
  SAY(hipDeviceGetUuid(text, 0));
  SAY(hipMalloc(&memory, 16));
  SAY(hipMalloc(&memory, 0));
  SAY(hipHostMalloc(&memory, 16, 0));
  SAY(hipFree(NULL));
  SAY(hipMemcpy(text, text, 1, 0));
  SAY(hipMemcpyAsync(text, text, 1, 0, NULL));
  SAY(hipMemset(text, 0, 1));
  SAY(hipMemGetInfo(&a, &b));
  SAY(hipStreamCreateWithFlags(&stream, 1));
  SAY(hipStreamSynchronize(NULL));
  SAY(hipStreamQuery(NULL));
  SAY(hipEventCreateWithFlags(&event, 0));
  SAY(hipModuleLoadData(&module, text));
  SAY(hipModuleGetFunction(&function, NULL, "f"));
  SAY(hipModuleLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
  SAY(hipExtModuleLaunchKernelCxx(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL, NULL, NULL, 0));
  SAY(hipLaunchKernel(text, one, one, NULL, 0, NULL));
  SAY(hipLaunchCooperativeKernel(text, one, one, NULL, 0, NULL));
  SAY(__hipPushCallConfiguration(one, one, 0, NULL));
  SAY(hipGraphLaunch(NULL, NULL));
  SAY(hipStreamBeginCapture(NULL, 0));
  SAY(hipDeviceSynchronize());
  SAY(hipDeviceReset());
  printf("%s %s\n", hipGetErrorName(100), hipGetErrorString(100));
  runtimes();
  return 0;
}
