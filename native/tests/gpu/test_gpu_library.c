/* A shim without a library behind it. The program gets the answer of a machine without a device.
 * Compiled for each API: see gpu.h. */
#include "gpu.h"
#include "gpu_calls.h"

static void find_no_device(void) {
  int count = -1;
  CHECK(gpu_init(0) == GPU_NO_DEVICE && gpu_sync() == GPU_NO_DEVICE);
  CHECK(GPU(hipGetDeviceCount, cuDeviceGetCount)(&count) == GPU_NO_DEVICE && count == -1);
  CHECK(gpu_launch(NULL, NULL) == GPU_NO_DEVICE && gpu_init(0) == GPU_NO_DEVICE);
  for (size_t i = 0; i < CALLS; i++) {
    CHECK(call_with_zeros(dlsym(RTLD_DEFAULT, calls[i])) == GPU_NO_DEVICE);
  }
}

static void use_library(const char *path, const char *why) {
  setenv(GPU_LIBRARY, path, 1);
  gpu_one_line(find_no_device, why);
}

static void write_library(const void *bytes, size_t size, const char *why) {
  char path[4096];
  snprintf(path, sizeof path, "%s/" GPU_SONAME, getenv("GIVEWAY_DIR"));
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && close(fd) == 0);
  use_library(path, why);
}

static void the_library_is_missing(void) { use_library("/no/such/library.so", "is not there"); }

static void the_library_is_of_another_machine(void) {
  unsigned char elf[64] = {0x7f, 'E', 'L', 'F', 1 /* 32 bits */, 1, 1};
  elf[16] = 3;
  elf[18] = 3; /* i386 */
  elf[20] = 1;
  write_library(elf, sizeof elf, "ELFCLASS32");
}

static void the_library_is_none(void) {
  static const char text[] = "version https://git-lfs.github.com/spec/v1\n";
  write_library(text, sizeof text, GPU_SONAME);
}

static void the_library_is_the_shim(void) {
  Dl_info info;
  CHECK(dladdr(dlsym(RTLD_DEFAULT, gpu_launch_name), &info) != 0);
  CHECK(strstr(info.dli_fname, GPU_SHIM) != NULL);
  use_library(info.dli_fname, "giveway's own");
}

static const struct test_case cases[] = {
    {"the library is missing", the_library_is_missing},
    {"the library is of another machine", the_library_is_of_another_machine},
    {"the library is none", the_library_is_none},
    {"the library is the shim", the_library_is_the_shim},
};
RUN_CASES(cases, 240)
