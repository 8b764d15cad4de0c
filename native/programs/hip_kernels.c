/* Compiles the kernels of the hip_*.c programs beside this, which do nothing, with the compiler
 * that comes with AMD's runtimes up to 6.x: hip_kernels FILE. */
#include <stdio.h>
#include <stdlib.h>

int hiprtcCreateProgram(void **program, const char *source, const char *name, int count,
                        const char **headers, const char **names);
int hiprtcCompileProgram(void *program, int count, const char **options);
int hiprtcGetCodeSize(void *program, size_t *size);
int hiprtcGetCode(void *program, char *code);

#define KERNEL(name) "extern \"C\" __global__ void " name "() {}\n"

static const char source[] = KERNEL("by_handle") KERNEL("by_address") KERNEL("of_graph")
    KERNEL("other") KERNEL("ns_50000") KERNEL("ns_200000") KERNEL("ns_20000000");

int main(int count, char **arguments) {
  /* Of a version that the older runtimes know as well. */
  const char *options[] = {"--offload-arch=gfx90a", "-mcode-object-version=5"};
  void *program;
  size_t size = 0;
  if (count != 2 || hiprtcCreateProgram(&program, source, "kernels.hip", 0, NULL, NULL) != 0 ||
      hiprtcCompileProgram(program, 2, options) != 0 || hiprtcGetCodeSize(program, &size) != 0) {
    return 1;
  }
  char *code = malloc(size);
  FILE *file = fopen(arguments[1], "wb");
  return code == NULL || file == NULL || hiprtcGetCode(program, code) != 0 ||
         fwrite(code, size, 1, file) != 1 || fclose(file) != 0;
}
