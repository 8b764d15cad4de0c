/* Two threads of one region on one core, and another core idle: the kernel leaves it so for tens of
 * milliseconds, because the two take turns and neither is ever seen waiting for long. It happens to
 * a request that begins while others have the cores, and doubles its time. The thread that finds
 * itself on the core of the one that launched steps off it; where to is the kernel's choice.
 */
#include <errno.h>
#include <sched.h>
#include <stdint.h>

#include "../gate/clock.h"
#include "interrupt.h"

/* Where there are more threads than cores somebody must share: then this is tried in vain, but
 * seldom. */
#define AGAIN_NS UINT64_C(2000000)

void gw_step_off(int cpu) {
  static _Thread_local uint64_t tried_ns;
  int saved = errno;
  uint64_t now = gw_now();
  cpu_set_t allowed, others;
  if (now - tried_ns < AGAIN_NS || sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    errno = saved;
    return;
  }
  tried_ns = now;
  others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) != 0 && sched_setaffinity(0, sizeof others, &others) == 0) {
    sched_setaffinity(0, sizeof allowed, &allowed);
  }
  errno = saved;
}
