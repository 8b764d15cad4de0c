/* Programs that look up functions of the driver's other libraries, which nothing stands in for. */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#include "driver.h"

/* The result of dlsym in the loader's place; NULL: the loader is asked. */
void *gw_dlsym_hook(void *handle, const char *name) {
  if (handle == RTLD_DEFAULT || handle == RTLD_NEXT || name == NULL) {
    return NULL;
  }
  int saved = errno;
  void *hook = gw_driver_symbol(handle, name);
  errno = saved;
  return hook;
}
