/* The hooks beside the driver's library instead of in its place. Programs have the driver's own
 * handle, and look-ups there have to find the hooks. The CUDA runtime looks up every function that
 * way, beginning with cuGetProcAddress. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "hooks.h"
#include "load/loaded.h"
#include "load/symbol.h"

void *gw_symbol(void *library, const char *name) { return gw_loaders_dlsym()(library, name); }

/* The result of dlsym in the loader's place: the hook, where the loader would return the driver's
 * function that the hook stands for; else NULL. RTLD_DEFAULT and RTLD_NEXT find the hooks by
 * themselves, where the hooks come first. */
void *gw_dlsym_hook(void *handle, const char *name) {
  if (handle == RTLD_DEFAULT || handle == RTLD_NEXT || name == NULL) {
    return NULL;
  }
  int saved = errno;
  void *hook = gw_hook_of(name);
  if (hook == NULL) {
    hook = gw_driver_symbol(handle, name);
    errno = saved;
    return hook;
  }
  Dl_info info;
  void *found = gw_symbol(handle, name);
  /* Compared by name first, for a look-up in another library must not open a driver. */
  bool replace = found != NULL && found != hook && dladdr(found, &info) != 0 &&
                 gw_is_driver(info.dli_fname) && found == gw_symbol(gw_library(), name);
  errno = saved;
  return replace ? hook : NULL;
}
