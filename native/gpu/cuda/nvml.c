/* NVML, the driver's library for observers, which says how much memory a GPU has. Programs ask it
 * before they have a context, through the loader: with ctypes, or with dlopen and dlsym. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#include "driver.h"
#include "hooks.h"
#include "load/symbol.h"

#define NVML "libnvidia-ml.so.1"
#define FUNCTION_NOT_FOUND 13 /* NVML_ERROR_FUNCTION_NOT_FOUND */
#define UUID_SIZE 96

typedef int memory_function(void *device, void *memory);
typedef int uuid_function(void *device, char *uuid, unsigned size);

static _Atomic(memory_function *) real_first, real_second;
static _Atomic(uuid_function *) real_uuid;

struct first { /* nvmlMemory_t */
  uint64_t total, free, used;
};
struct second { /* nvmlMemory_v2_t */
  unsigned version;
  uint64_t total, reserved, free, used;
};

static bool view_of(void *device, uint64_t total, uint64_t free, struct gw_memory_view *view) {
  char uuid[UUID_SIZE];
  uuid_function *ask = atomic_load(&real_uuid);
  if (ask == NULL || ask(device, uuid, sizeof uuid) != 0) {
    return false;
  }
  gw_view_page(uuid, total, free, view);
  return view->shown;
}

/* Finds the functions in the library behind the handle, which stays loaded from then on. */
static void find(void *handle) {
  gw_dlsym *find = gw_loaders_dlsym();
  memory_function *first = (memory_function *)find(handle, "nvmlDeviceGetMemoryInfo");
  if (first == NULL) {
    return;
  }
  void *library = dlopen(NVML, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (library != NULL) {
    dlclose(library);
  }
  atomic_store(&real_uuid, (uuid_function *)find(handle, "nvmlDeviceGetUUID"));
  atomic_store(&real_second, (memory_function *)find(handle, "nvmlDeviceGetMemoryInfo_v2"));
  atomic_store(&real_first, first);
}

/* A program that is linked with NVML has never looked for it, nor has a library that is: where that
 * was opened later, NVML is not among the libraries of all. */
static memory_function *real(_Atomic(memory_function *) *function) {
  if (atomic_load(function) == NULL) {
    find(RTLD_NEXT);
  }
  if (atomic_load(function) == NULL) {
    void *library = dlopen(NVML, RTLD_LAZY | RTLD_NOLOAD);
    if (library != NULL) {
      find(library);
      dlclose(library);
    }
  }
  return atomic_load(function);
}

GW_EXPORT int nvmlDeviceGetMemoryInfo(void *device, struct first *memory) {
  struct gw_memory_view view;
  memory_function *ask = real(&real_first);
  int result = ask != NULL ? ask(device, memory) : FUNCTION_NOT_FOUND;
  if (result == 0 && view_of(device, memory->total, memory->free, &view)) {
    *memory = (struct first){view.total, view.free, view.total - view.free};
  }
  return result;
}

GW_EXPORT int nvmlDeviceGetMemoryInfo_v2(void *device, struct second *memory) {
  struct gw_memory_view view;
  memory_function *ask = real(&real_second);
  int result = ask != NULL ? ask(device, memory) : FUNCTION_NOT_FOUND;
  if (result == 0 && view_of(device, memory->total, memory->free, &view)) {
    *memory = (struct second){memory->version, view.total, 0, view.free, view.total - view.free};
  }
  return result;
}

void *gw_driver_symbol(void *handle, const char *name) {
  if (strncmp(name, "nvmlDeviceGetMemoryInfo", 23) != 0) {
    return NULL;
  }
  void *hook = strcmp(name + 23, "") == 0      ? (void *)nvmlDeviceGetMemoryInfo
               : strcmp(name + 23, "_v2") == 0 ? (void *)nvmlDeviceGetMemoryInfo_v2
                                               : NULL;
  void *found = hook != NULL ? gw_loaders_dlsym()(handle, name) : NULL;
  if (found == NULL || found == hook) {
    return NULL;
  }
  find(handle);
  dlerror(); /* an NVML without the second version is no error of the program's */
  return hook;
}
