#include "symbol.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

static _Atomic(gw_dlsym *) next;

/* The first version of glibc for the machine, which every later one still has. */
#if defined(__x86_64__)
#define FIRST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST_GLIBC "GLIBC_2.17"
#endif

/* The dlsym behind this library, which may be that of another tool. The loader's own, by which it
 * is looked up, comes from dlvsym, which no shim exports. */
gw_dlsym *gw_loaders_dlsym(void) {
  gw_dlsym *found = atomic_load_explicit(&next, memory_order_relaxed);
  if (found == NULL) {
    gw_dlsym *loaders = (gw_dlsym *)dlvsym(RTLD_NEXT, "dlsym", FIRST_GLIBC);
    found = (gw_dlsym *)loaders(RTLD_NEXT, "dlsym");
    atomic_store_explicit(&next, found, memory_order_relaxed);
  }
  return found;
}
