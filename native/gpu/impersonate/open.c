/* Programs that open the driver by a path, or as libcuda.so. The loader compares a name with the
 * shim's SONAME only, so these would get the driver itself. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "load/library.h"
#include "load/loaded.h"
#include "load/locate.h"

typedef void *dlopen_function(const char *name, int flags);

static _Atomic(dlopen_function *) next;

dlopen_function *gw_loaders_dlopen(void) {
  dlopen_function *found = atomic_load_explicit(&next, memory_order_relaxed);
  if (found == NULL) {
    found = (dlopen_function *)dlsym(RTLD_NEXT, "dlopen");
    atomic_store_explicit(&next, found, memory_order_relaxed);
  }
  return found;
}

void *gw_open(const char *name, int flags) { return gw_loaders_dlopen()(name, flags); }

/* What dlopen is to open in the place of that name. A file that is not there stays a failure. */
const char *gw_dlopen_name(const char *name) {
  if (name == NULL || !gw_is_driver(name)) {
    return name;
  }
  if (strchr(name, '/') == NULL) {
    return strcmp(name, "libcuda.so") == 0 ? gw_soname : name;
  }
  int saved = errno;
  bool is_there = access(name, R_OK) == 0;
  errno = saved;
  if (is_there) {
    gw_locate_first(name);
  }
  return is_there ? gw_soname : name;
}
