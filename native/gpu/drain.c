#include "drain.h"

/* A program may change its kernels at any time. */
#define RECENT_NS UINT64_C(2000000)
/* What an urgent program may lose where the rate is not true any more. */
#define MOST 8

void gw_drain_add(struct gw_drain *drain, uint64_t work, uint64_t elapsed) {
  drain->work += work;
  drain->elapsed += elapsed;
  if (drain->elapsed > RECENT_NS) {
    drain->work /= 2;
    drain->elapsed /= 2;
    drain->longest /= 2;
  }
  drain->longest = work > drain->longest ? work : drain->longest;
}

void gw_drain_shrink(struct gw_drain *drain, double part) {
  drain->work -= (uint64_t)((double)drain->work * part);
}

static double rate(const struct gw_drain *drain, unsigned streams) {
  double most = streams < MOST ? streams : MOST;
  double found = drain->elapsed == 0 ? 1 : (double)drain->work / (double)drain->elapsed;
  found = found < most ? found : most;
  return found > 1 ? found : 1;
}

uint64_t gw_drain_work(const struct gw_drain *drain, unsigned streams, uint64_t ns) {
  return (uint64_t)(rate(drain, streams) * (double)ns);
}

uint64_t gw_drain_kernels(const struct gw_drain *drain, unsigned streams, uint64_t ns) {
  return ns / 2 <= drain->longest ? (uint64_t)(rate(drain, streams) + 0.5) : 1;
}
