/* Opens regions the way code compiled by LLVM or Intel does, with the runtime given as argument,
 * and prints how many launches that was: ten, though five of them have others nested inside. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "giveway.h"

typedef struct {
  int reserved_1, flags, reserved_2, reserved_3;
  const char *source;
} ident_t;
typedef void (*micro_fn)(int *global_id, int *bound_id, ...);
typedef void (*fork_call_fn)(ident_t *where, int count, micro_fn body, ...);

static ident_t where = {0, 2, 0, 0, ";unknown;unknown;0;0;;"};
static fork_call_fn fork_call;
static _Atomic int bodies;

static void leaf(int *global_id, int *bound_id, ...) {
  (void)global_id, (void)bound_id;
  bodies++;
}

static void outer(int *global_id, int *bound_id, ...) {
  (void)global_id, (void)bound_id;
  fork_call(&where, 0, leaf);
}

int main(int argc, char **argv) {
  void *runtime = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
  if (runtime == NULL) {
    fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "usage: ompt_program RUNTIME");
    return 2;
  }
  fork_call = (fork_call_fn)dlsym(runtime, "__kmpc_fork_call");
  for (int i = 0; i < 5; i++) {
    fork_call(&where, 0, leaf);
    fork_call(&where, 0, outer);
  }
  struct gw_task_info info = {0};
  gw_task_describe(gw_peek(), &info);
  printf("launches %d bodies %d\n", (int)info.launches, bodies);
  return 0;
}
