/* A thread that sleeps at a gate while it holds Python's global lock stops every Python thread of
 * its process. With one task that is only its own business; with several, an urgent thread would
 * wait for a held one. Then the launch goes on: the next one that comes without the lock is held
 * instead. */
#include <dlfcn.h>

#include "internal.h"

typedef int (*check_fn)(void);

bool gw_may_wait(void) {
  if (atomic_load_explicit(&gw_process.task_count, memory_order_relaxed) < 2) {
    return true;
  }
  check_fn initialized = (check_fn)dlsym(RTLD_DEFAULT, "Py_IsInitialized");
  check_fn holds_gil = (check_fn)dlsym(RTLD_DEFAULT, "PyGILState_Check");
  return initialized == NULL || holds_gil == NULL || !initialized() || !holds_gil();
}
