/* The loader does not report that it has unloaded a library, so a hook counts the calls of dlclose.
 * It is the loader's only function that does not depend on its caller. */
#include "unload.h"

#include <dlfcn.h>
#include <stddef.h>

_Atomic uint64_t gw_unloads;

static _Atomic(void *) next;
static _Thread_local uint64_t own; /* calls under way in this thread: destructors may nest them */

/* Only the thread that forks goes on in the child, so the calls of all other threads are over. */
void gw_unload_fork_child(void) {
  atomic_store(&gw_unloads, (atomic_load(&gw_unloads) & ~GW_UNLOADING) + GW_UNLOADING + 1 + own);
}

int gw_close_uncounted(void *handle) {
  void *real = atomic_load_explicit(&next, memory_order_relaxed);
  if (real == NULL) { /* without a lock, because dlsym takes the loader's lock */
    real = dlsym(RTLD_NEXT, "dlclose");
    atomic_store_explicit(&next, real, memory_order_relaxed);
  }
  return real != NULL ? ((int (*)(void *))real)(handle) : -1;
}

__attribute__((visibility("default"))) int dlclose(void *handle) {
  own++;
  atomic_fetch_add(&gw_unloads, 1);
  int result = gw_close_uncounted(handle);
  atomic_fetch_add(&gw_unloads, GW_UNLOADING); /* one more call has ended, one less is under way */
  own--;
  return result;
}
