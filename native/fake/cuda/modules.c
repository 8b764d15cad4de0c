/* Modules and libraries. Their images are ignored: every name is a kernel in each of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../engine/fake.h"

static int any;

static struct function *new_function(const char *name, bool of_library) {
  const char *fallback = getenv("GIVEWAY_FAKE_KERNEL_NS");
  const char *ns = strncmp(name, "ns_", 3) == 0 ? name + 3 : fallback;
  struct function *function = calloc(1, sizeof *function); /* never freed */
  snprintf(function->name, sizeof function->name, "%s", name);
  function->ns = ns != NULL ? strtoull(ns, NULL, 10) : 0;
  function->of_library = of_library;
  return function;
}

FAKE int cuModuleLoadData(void **module, const void *image) {
  CALL(cuModuleLoadData)(void) image;
  *module = &any;
  return SUCCESS;
}

FAKE int cuModuleUnload(void *module) {
  CALL(cuModuleUnload)(void) module;
  return SUCCESS;
}

FAKE int cuModuleGetFunction(struct function **function, void *module, const char *name) {
  CALL(cuModuleGetFunction)(void) module;
  *function = new_function(name, false);
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

FAKE int cuLibraryLoadData(void **library, const void *image, void *jit, void **jit_values,
                           unsigned jit_count, void *options, void **values, unsigned count) {
  CALL(cuLibraryLoadData)(void) image, (void)jit, (void)jit_values, (void)jit_count;
  (void)options, (void)values, (void)count;
  *library = &any;
  return SUCCESS;
}

FAKE int cuLibraryUnload(void *library) {
  CALL(cuLibraryUnload)(void) library;
  return SUCCESS;
}

FAKE int cuLibraryGetKernel(struct function **kernel, void *library, const char *name) {
  CALL(cuLibraryGetKernel)(void) library;
  *kernel = new_function(name, true);
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
