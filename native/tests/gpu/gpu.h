/* CUDA and HIP under one set of names, for tests of promises that both shims make: compiled once
 * for CUDA, and with GENERATION for each generation of HIP. Run with the shim preloaded over the
 * fake library. */
#ifndef GIVEWAY_TEST_GPU_H
#define GIVEWAY_TEST_GPU_H

#include <dlfcn.h>
#include <pthread.h>

#include "harness.h"

#ifdef GENERATION
#include "hip_api.h"
#define GPU(hip, cuda) hip
typedef hipStream_t gpu_stream;
typedef hipFunction_t gpu_kernel;
typedef hipModule_t gpu_module;
#else
#include "cuda_api.h"
#define GPU(hip, cuda) cuda
typedef CUstream gpu_stream;
typedef CUfunction gpu_kernel;
typedef CUmodule gpu_module;
#endif

#define GPU_DEVICE GPU("GPU-fa00000000000000", "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00")
#define GPU_LIBRARY GPU("GIVEWAY_HIP_LIBRARY", "GIVEWAY_CUDA_LIBRARY")
#define GPU_STRING(number) #number
#define GPU_NUMBERED(number) "libamdhip64.so." GPU_STRING(number)
#define GPU_SONAME GPU(GPU_NUMBERED(GENERATION), "libcuda.so.1")
/* The hooks stand beside the library, to which the program is linked. */
__attribute__((unused)) static bool gpu_interposed(void) {
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded != NULL && strstr(preloaded, "-hooks.so") != NULL;
}

#define GPU_SHIM GPU("gpu/hip/libamdhip64", "giveway-cuda") /* part of the shim's path */

enum {
  GPU_NOT_INITIALIZED = 3,
  GPU_NO_DEVICE = 100,
  GPU_NOT_SUPPORTED = 801,
};

#define gpu_launch_name GPU("hipModuleLaunchKernel", "cuLaunchKernel")
#define gpu_init GPU(hipInit, cuInit)
#define gpu_sync GPU(hipDeviceSynchronize, cuCtxSynchronize)
#define gpu_stream_sync GPU(hipStreamSynchronize, cuStreamSynchronize)

__attribute__((unused)) static int gpu_launch(gpu_kernel kernel, gpu_stream stream) {
  return GPU(hipModuleLaunchKernel, cuLaunchKernel)(kernel, 1, 1, 1, 32, 1, 1, 0, stream, NULL,
                                                    NULL);
}

/* Makes the first device current; CUDA has to be asked for it. */
__attribute__((unused)) static int gpu_retain(void) {
#ifdef GENERATION
  return hipSetDevice(0);
#else
  CUcontext context;
  int result = cuDevicePrimaryCtxRetain(&context, 0);
  return result == 0 ? cuCtxSetCurrent(context) : result;
#endif
}

__attribute__((unused)) static void gpu_start(void) {
  CHECK(gpu_init(0) == 0 && gpu_retain() == 0);
}

__attribute__((unused)) static gpu_kernel gpu_get_kernel(const char *name) {
  gpu_module module;
  gpu_kernel kernel;
  CHECK(GPU(hipModuleLoadData, cuModuleLoadData)(&module, "") == 0);
  CHECK(GPU(hipModuleGetFunction, cuModuleGetFunction)(&kernel, module, name) == 0);
  return kernel;
}

__attribute__((unused)) static gpu_stream gpu_new_stream(void) {
  gpu_stream stream;
  CHECK(GPU(hipStreamCreateWithFlags, cuStreamCreate)(&stream, 1) == 0);
  return stream;
}

__attribute__((unused)) static uint64_t gpu_fake_calls(const char *name) {
  void *fake = dlopen(gpu_interposed() ? GPU_SONAME : getenv(GPU_LIBRARY), RTLD_LAZY);
  CHECK(fake != NULL);
  uint64_t (*calls)(const char *) = (uint64_t (*)(const char *))dlsym(fake, "fake_calls");
  CHECK(calls != NULL);
  return calls(name);
}

/* A more urgent task on the same device. While it has work, all other gates are closed. */
__attribute__((unused)) static gw_task *gpu_rival(void) {
  gw_page *page;
  gw_task *task;
  struct gw_task_options options = {.name = "rival", .priority = 10};
  CHECK(gw_page_open(GPU_DEVICE, 1, &page) == GW_OK && gw_join(page, &options, &task) == GW_OK);
  return task;
}

/* The task of that process, with row = UINT32_MAX if it has none. */
__attribute__((unused)) static struct gw_task_info gpu_task_of(pid_t pid) {
  gw_page *page;
  struct gw_task_info infos[16];
  CHECK(gw_page_open(GPU_DEVICE, 1, &page) == GW_OK);
  for (int i = gw_tasks(page, infos, 16); i-- > 0;) {
    if (infos[i].pid == (uint32_t)pid && strcmp(infos[i].name, "rival") != 0) {
      return infos[i];
    }
  }
  return (struct gw_task_info){.row = UINT32_MAX};
}

__attribute__((unused)) static uint64_t gpu_launches(void) {
  return gpu_task_of(getpid()).launches;
}

/* Runs the function in a child, which must exit with 0. Returns the child's stderr. */
__attribute__((unused)) static const char *gpu_said_by(void (*program)(void)) {
  static char text[8192];
  int ends[2], status;
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    program();
    exit(0);
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t got; (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;) {
    n += (size_t)got;
  }
  text[n] = '\0';
  close(ends[0]);
  CHECK(waitpid(pid, &status, 0) == pid);
  if (status != 0) {
    fprintf(stderr, "status %x: %s", (unsigned)status, text);
    CHECK(!"the program went on");
  }
  return text;
}

__attribute__((unused)) static void gpu_one_line(void (*program)(void), const char *why) {
  const char *text = gpu_said_by(program), *end = strchr(text, '\n');
  if (strncmp(text, "giveway: ", 9) != 0 || strstr(text, why) == NULL || end == NULL ||
      end[1] != '\0') {
    fprintf(stderr, "expected one line with '%s', got: %s\n", why, text);
    CHECK(!"one line that says why");
  }
}

#endif
