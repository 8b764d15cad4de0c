/* Kernels that do nothing, for a real runtime: a code object from a file, as a module and as the
 * fat binary that hipcc would have put into the program. */
#ifndef GIVEWAY_TEST_HIP_KERNELS_H
#define GIVEWAY_TEST_HIP_KERNELS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fake/api/hip_api.h"

void __hipRegisterFunction(void **binary, const void *host, char *name, const char *device_name,
                           unsigned limit, void *tid, void *bid, dim3 *block, dim3 *grid,
                           int *wave);

#define MUST(call)                                                                                 \
  do {                                                                                             \
    int result_ = (call);                                                                          \
    if (result_ != 0) {                                                                            \
      fprintf(stderr, "%s = %d\n", #call, result_);                                                \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

static char *code;
static size_t code_size;

static void read_code(const char *path) {
  FILE *file = fopen(path, "rb");
  MUST(file == NULL);
  MUST(fseek(file, 0, SEEK_END));
  code_size = (size_t)ftell(file);
  rewind(file);
  code = aligned_alloc(4096, (code_size + 4095) / 4096 * 4096);
  MUST(fread(code, code_size, 1, file) != 1);
  fclose(file);
}

/* Of the module; a module for each, so that nothing is shared. */
__attribute__((unused)) static hipFunction_t module_kernel(const char *name) {
  hipModule_t module;
  hipFunction_t function;
  MUST(hipModuleLoadData(&module, code));
  MUST(hipModuleGetFunction(&function, module, name));
  return function;
}

struct bundle {
  char magic[24];
  uint64_t count;
  struct entry {
    uint64_t offset, size, name_size;
    char name[31];
  } __attribute__((packed)) host, device;
} __attribute__((packed));

/* Of the program itself, by the address that stands for it. */
__attribute__((unused)) static const void *program_kernel(const char *name) {
  static struct {
    uint32_t magic, version;
    void *binary, *unused;
  } wrapper = {0x48495046, 1, NULL, NULL};
  static void **registered;
  static char stubs[64];
  static unsigned used;
  if (registered == NULL) {
    char *binary = aligned_alloc(4096, 4096 + (code_size + 4095) / 4096 * 4096);
    struct bundle bundle = {
        .magic = "__CLANG_OFFLOAD_BUNDLE__",
        .count = 2,
        .host = {4096, 0, 31, "host-x86_64-unknown-linux-gnu--"},
        .device = {4096, code_size, 31, "hipv4-amdgcn-amd-amdhsa--gfx90a"},
    };
    memcpy(binary, &bundle, sizeof bundle);
    memcpy(binary + 4096, code, code_size);
    wrapper.binary = binary;
    registered = __hipRegisterFatBinary(&wrapper);
    MUST(registered == NULL);
  }
  char *stub = &stubs[used++];
  __hipRegisterFunction(registered, stub, (char *)(uintptr_t)name, name, 1024, NULL, NULL, NULL,
                        NULL, NULL);
  return stub;
}

#endif
