/* Measures the time that the hook adds to an OpenMP region. Run with libgiveway-cpu.so preloaded.
 * The program opens the same region through the hook and, alternating, through the runtime's own
 * entry point. Prints JSON. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "giveway.h"

#define ROUNDS 21
#define REGIONS 200000

typedef void (*parallel_fn)(void (*body)(void *), void *data, unsigned threads, unsigned flags);

extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);

static void body(void *data) { (void)data; }

static double ns_each(parallel_fn parallel) {
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (int i = 0; i < REGIONS; i++) {
    parallel(body, NULL, 1, 0); /* one thread: a team's start and end would drown the difference */
  }
  clock_gettime(CLOCK_MONOTONIC, &b);
  return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / REGIONS;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(void) {
  void *runtime = dlopen("libgomp.so.1", RTLD_LAZY);
  parallel_fn direct = runtime == NULL ? NULL : (parallel_fn)dlsym(runtime, "GOMP_parallel");
  if (direct == NULL || direct == GOMP_parallel || !gw_hooked()) {
    fprintf(stderr, "bench_region: start it with LD_PRELOAD=libgiveway-cpu.so\n");
    return 1;
  }
  double added[ROUNDS], bare[ROUNDS];
  ns_each(GOMP_parallel);
  for (int round = 0; round < ROUNDS; round++) {
    bare[round] = ns_each(direct);
    added[round] = ns_each(GOMP_parallel) - bare[round];
  }
  qsort(added, ROUNDS, sizeof *added, ascending);
  qsort(bare, ROUNDS, sizeof *bare, ascending);
  printf("{\n  \"region_bare_ns\": {\"n\": %d, \"min\": %.1f, \"p50\": %.1f, \"max\": %.1f},\n",
         ROUNDS, bare[0], bare[ROUNDS / 2], bare[ROUNDS - 1]);
  printf("  \"region_added_ns\": {\"n\": %d, \"min\": %.1f, \"p50\": %.1f, \"max\": %.1f}\n}\n",
         ROUNDS, added[0], added[ROUNDS / 2], added[ROUNDS - 1]);
  return 0;
}
