/* A thread that sleeps at a gate while it holds Python's global lock stops every Python thread of
 * its process. In a process of one priority that delays only work that has to give way anyway, on
 * whatever devices it is. In a process with thread-local tasks, an urgent thread would wait for a
 * held one. There the launch goes on, and the next one that comes without the lock is held instead.
 */
#include "gil.h"

#include <dlfcn.h>

#include "state.h"

typedef int (*check_fn)(void);

bool gw_may_wait(void) {
  if (GW_READ(gw_process.thread_count) == 0) {
    return true;
  }
  check_fn initialized = (check_fn)dlsym(RTLD_DEFAULT, "Py_IsInitialized");
  check_fn holds_gil = (check_fn)dlsym(RTLD_DEFAULT, "PyGILState_Check");
  return initialized == NULL || holds_gil == NULL || !initialized() || !holds_gil();
}
