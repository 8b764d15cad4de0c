/* Two threads of one region may share a core while another core is idle. The kernel leaves them
 * there for tens of milliseconds, because they alternate and neither seems to wait for long. This
 * happens to a request that begins while other programs have the cores, and doubles its time. A
 * thread that finds itself on the core of the launching thread steps off that core; the kernel
 * chooses the new one.
 */
#include <errno.h>
#include <sched.h>
#include <stdint.h>

#include "../gate/clock.h"
#include "interrupt.h"

/* With more threads than cores a step off is in vain, so each thread tries seldom. */
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
