/* Modules and libraries. Their images are ignored: every name is a kernel in each of them. When one
 * is unloaded, the next kernels get the handles of its kernels. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../engine/fake.h"

struct module {
  struct function *functions;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct function *gone;

static struct function *take_handle(struct module *module) {
  pthread_mutex_lock(&lock);
  struct function *function = gone;
  if (function != NULL) {
    gone = function->next;
  } else {
    function = malloc(sizeof *function);
  }
  memset(function, 0, sizeof *function);
  function->next = module->functions;
  module->functions = function;
  pthread_mutex_unlock(&lock);
  return function;
}

static void unload(struct module *module) {
  pthread_mutex_lock(&lock);
  while (module->functions != NULL) {
    struct function *first = module->functions;
    module->functions = first->next;
    first->next = gone;
    gone = first;
  }
  pthread_mutex_unlock(&lock);
  free(module);
}

static struct function *new_function(struct module *module, const char *name, bool of_library) {
  const char *fallback = getenv("GIVEWAY_FAKE_KERNEL_NS");
  const char *ns = strncmp(name, "ns_", 3) == 0 ? name + 3 : fallback;
  struct function *function = take_handle(module);
  snprintf(function->name, sizeof function->name, "%s", name);
  function->ns = ns != NULL ? strtoull(ns, NULL, 10) : 0;
  function->kind = beside_kind(name);
  function->of_library = of_library;
  function->timed = strcmp(name, "timed") == 0;
  return function;
}

FAKE int cuModuleLoadData(struct module **module, const void *image) {
  CALL(cuModuleLoadData)(void) image;
  *module = calloc(1, sizeof **module);
  return SUCCESS;
}

FAKE int cuModuleUnload(struct module *module) {
  CALL(cuModuleUnload)
  unload(module);
  return SUCCESS;
}

FAKE int cuModuleGetFunction(struct function **function, struct module *module, const char *name) {
  CALL(cuModuleGetFunction)
  *function = new_function(module, name, false);
  return SUCCESS;
}

FAKE int cuFuncGetName(const char **name, struct function *function) {
  CALL(cuFuncGetName)
  if (function->of_library) {
    return INVALID_HANDLE;
  }
  *name = function->name;
  return SUCCESS;
}

FAKE int cuLibraryLoadData(struct module **library, const void *image, void *jit, void **jit_values,
                           unsigned jit_count, void *options, void **values, unsigned count) {
  CALL(cuLibraryLoadData)(void) image, (void)jit, (void)jit_values, (void)jit_count;
  (void)options, (void)values, (void)count;
  *library = calloc(1, sizeof **library);
  return SUCCESS;
}

FAKE int cuLibraryUnload(struct module *library) {
  CALL(cuLibraryUnload)
  unload(library);
  return SUCCESS;
}

FAKE int cuLibraryGetKernel(struct function **kernel, struct module *library, const char *name) {
  CALL(cuLibraryGetKernel)
  *kernel = new_function(library, name, true);
  return SUCCESS;
}

FAKE int cuKernelGetName(const char **name, struct function *kernel) {
  CALL(cuKernelGetName)
  if (!kernel->of_library) {
    return INVALID_HANDLE;
  }
  *name = kernel->name;
  return SUCCESS;
}
