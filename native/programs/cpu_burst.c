/* One of two programs that share the processor. Its work is counted, not timed: a program that is
 * kept from a core finishes later.
 *
 *   cpu_burst urgent SECONDS THREADS   2 ms of work about every 20 ms, open loop;
 *                                      latency counts from when the work was due
 *   cpu_burst other SECONDS THREADS    such work without a pause
 *
 * Prints one line of JSON. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PERIOD 0.020
#define MOST 100000
#define ROUNDS 1000000 /* on each thread: about 2 ms */

static int threads;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void sleep_until(double due) {
  struct timespec time = {.tv_sec = (time_t)due};
  time.tv_nsec = (long)((due - (double)time.tv_sec) * 1e9);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0) {
  }
}

static void work(void) {
#pragma omp parallel num_threads(threads)
  {
    uint64_t x = 1;
    for (int i = 0; i < ROUNDS; i++) {
      x = x * 6364136223846793005u + 1442695040888963407u;
      __asm__ volatile("" : "+r"(x));
    }
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void urgent(double seconds) {
  static double ms[MOST];
  int n = 0;
  double due = now(), end = due + seconds;
  while (due < end && n < MOST) {
    sleep_until(due);
    work();
    ms[n++] = (now() - due) * 1e3;
    due += PERIOD + (drand48() - 0.5) * 0.006;
  }
  qsort(ms, (size_t)n, sizeof *ms, ascending);
  printf("{\"n\": %d, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n", n, ms[n / 2], ms[n * 99 / 100]);
}

static void other(double seconds) {
  double began = now(), took = 0;
  int n = 0;
  for (; took < seconds; n++, took = now() - began) {
    work();
  }
  printf("{\"n\": %d, \"per_s\": %.3f}\n", n, n / took);
}

int main(int argc, char **argv) {
  if (argc != 4 || (threads = atoi(argv[3])) < 1) {
    fprintf(stderr, "usage: cpu_burst urgent|other SECONDS THREADS\n");
    return 2;
  }
  work(); /* starts the threads */
  (strcmp(argv[1], "urgent") == 0 ? urgent : other)(atof(argv[2]));
  return 0;
}
