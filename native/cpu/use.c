/* The width of a task is the number of cores that it keeps busy at most: the threads of its
 * regions, or the CPU time that the process uses where that is more (operators, nested regions,
 * threads of its own), but no more than its quota allows. A larger width counts at once, a smaller
 * one once it has lasted. */
#include "use.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "affinity.h"
#include "interrupt.h"
#include "narrow.h"
#include "quota.h"
#include "whole.h"

#define MS UINT64_C(1000000)
#define WINDOW_NS (100 * MS) /* a smaller width has to last for one of these, and the next */
#define CORES_NS (250 * MS)  /* affinity is read again after so long */
#define QUOTA_NS (1000 * MS) /* and the quota, and whether signals get through */
#define STILL_NS (20 * MS)   /* a process that used no CPU time for so long waits for something */
#define STILL_SHARE 32       /* CPU time below this part of the time is not work */
#define MEASURE_NS (20 * MS) /* the least time over which CPU time says how many cores are busy */
#define GAP_NS (50 * MS)     /* the watcher slept longer: the time in between is unknown */

static _Atomic uint32_t teams; /* threads of all regions that run now */
static _Atomic uint32_t peak;  /* the most of them in this window */
static _Atomic uint32_t limit; /* cores, or the quota, whichever is less; 0: unknown */
static _Atomic uint32_t width; /* as other tasks know it; 0: unknown */

/* The rest is the watcher's alone. */
static struct gw_core_use use;
static struct sample {
  uint64_t now_ns, cpu_ns;
} last, measured; /* of the last look, and of the last time that the width was measured */
static uint64_t still_since_ns, window_ns, cores_ns, quota_ns;
static uint32_t last_peak, quota = UINT32_MAX;

static uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void raise_peak(uint32_t to) {
  uint32_t before = atomic_load(&peak);
  while (before < to && !atomic_compare_exchange_weak(&peak, &before, to)) {
  }
}

static uint32_t limited(uint32_t threads) {
  uint32_t most = atomic_load(&limit);
  return threads == 0 ? 1 : threads < most ? threads : most;
}

void gw_team_begin(gw_task *task, unsigned threads) {
  uint32_t now = atomic_fetch_add(&teams, threads) + threads;
  raise_peak(now);
  uint32_t known = atomic_load(&width);
  if (task != NULL && known != 0 && limited(now) > known) {
    gw_raise_width(task, limited(now));
    atomic_store(&width, limited(now));
  }
}

void gw_team_end(unsigned threads) { atomic_fetch_sub(&teams, threads); }

void gw_use_fork_child(void) { atomic_store(&teams, 0); }

static uint32_t count_cores(void) {
  uint32_t n = 0;
  for (int i = 0; i < GW_CORES_SIZE; i++) {
    n += (uint32_t)__builtin_popcountll(use.cores[i]);
  }
  return n;
}

static void read_limits(uint64_t now) {
  if (quota_ns == 0 || now - quota_ns > QUOTA_NS) {
    quota_ns = now;
    quota = gw_read_quota();
    use.launches_only = !gw_interrupt_works();
    use.whole_process = gw_whole_process;
  }
  if (cores_ns == 0 || (now - cores_ns > CORES_NS && !gw_any_narrow())) {
    cores_ns = now;
    gw_read_cores(use.cores);
  }
  uint32_t cores = count_cores();
  atomic_store(&limit, cores < quota ? cores : quota);
}

static void publish(gw_task *task, uint64_t now, bool held) {
  if (now - window_ns > WINDOW_NS && !held) {
    window_ns = now;
    last_peak = atomic_exchange(&peak, atomic_load(&teams));
  }
  uint32_t most = atomic_load(&peak);
  use.width = limited(most > last_peak ? most : last_peak);
  gw_use_cores(task, &use);
  atomic_store(&width, use.width);
}

/* Both clocks at once: the watcher may have waited for a core since its look began. */
static void read_clocks(void) {
  uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - clock_ns(CLOCK_THREAD_CPUTIME_ID);
  last = (struct sample){clock_ns(CLOCK_MONOTONIC), cpu};
}

/* The CPU time from one sample to the last, less the watcher's own. */
static uint64_t used_since(const struct sample *sample) {
  int64_t used = (int64_t)(last.cpu_ns - sample->cpu_ns);
  return used > 0 ? (uint64_t)used : 0; /* the process's and the watcher's are not read at once */
}

/* Whether the process has computed since the last look. */
static void look_for_work(const struct sample *before, bool held) {
  uint64_t passed = last.now_ns - before->now_ns;
  if (held || passed > GAP_NS || used_since(before) > passed / STILL_SHARE) {
    still_since_ns = last.now_ns;
  }
}

/* Whether the process computes, or has until lately. On a machine with more work than cores, its
 * threads may all wait for one for a while: so before it counts as asleep, its threads are asked.
 */
static bool computes(void) {
  static bool asleep;
  if (last.now_ns - still_since_ns >= STILL_NS && !asleep && gw_any_thread_runs()) {
    still_since_ns = last.now_ns;
  }
  asleep = last.now_ns - still_since_ns >= STILL_NS;
  return !asleep;
}

/* How many cores the process has kept busy. */
static void measure_width(bool held) {
  uint64_t passed = last.now_ns - measured.now_ns;
  if (passed < MEASURE_NS) {
    return;
  }
  if (!held && passed <= GAP_NS) {
    raise_peak((uint32_t)((used_since(&measured) + passed * 3 / 4) / passed));
  }
  measured = last;
}

/* A held task keeps its width and has work: that its threads do nothing is the gate's doing. */
int gw_look_at_use(gw_task *task, uint64_t now, int held) {
  struct sample before = last;
  read_clocks();
  look_for_work(&before, held != 0);
  measure_width(held != 0);
  read_limits(now);
  publish(task, now, held != 0);
  if (gw_room_changed(task)) {
    gw_stop_threads();
  }
  return computes();
}
