/* Opens one region after another through every entry point that a compiler emits, and checks that
 * each outermost one was exactly one launch. Run with libgiveway-cpu.so preloaded. */
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "giveway.h"

typedef void (*body_fn)(void *);

/* No compiler since GCC 4.9 emits these, but objects that older ones made still call them. */
extern void GOMP_parallel_start(body_fn body, void *data, unsigned threads);
extern void GOMP_parallel_end(void);
extern void GOMP_parallel_sections_start(body_fn body, void *data, unsigned threads,
                                         unsigned count);
extern unsigned GOMP_sections_next(void);
extern void GOMP_sections_end_nowait(void);
#define LOOP_START(kind)                                                                           \
  extern void GOMP_parallel_loop_##kind##_start(body_fn body, void *data, unsigned threads,        \
                                                long start, long end, long step, long chunk)
LOOP_START(static);
LOOP_START(dynamic);
LOOP_START(guided);
extern void GOMP_parallel_loop_runtime_start(body_fn body, void *data, unsigned threads, long start,
                                             long end, long step);
extern void GOMP_loop_end_nowait(void);

static int failures;
static uint64_t seen;

static uint64_t launches(void) {
  struct gw_task_info info;
  return gw_task_describe(gw_peek(), &info) == GW_OK ? info.launches : 0;
}

static void expect(const char *what, uint64_t count) {
  uint64_t now = launches();
  if (now - seen != count) {
    printf("%s: %d launches, expected %d\n", what, (int)(now - seen), (int)count);
    failures++;
  }
  seen = now;
}

static void nothing(void *data) { (void)data; }
static void no_loop(void *data) { (void)data, GOMP_loop_end_nowait(); }
static void no_sections(void *data) {
  (void)data;
  while (GOMP_sections_next() != 0) {
  }
  GOMP_sections_end_nowait();
}

#define N 1000
static volatile long sum_of[N];

static void compiled(void) {
  long sum = 0;
#pragma omp parallel num_threads(2)
  {
#pragma omp atomic
    sum++;
  }
  expect("parallel", 1);
  if (sum != 2) {
    printf("parallel: a team of %ld\n", sum);
    failures++;
  }
#define LOOP(clause)                                                                               \
  _Pragma(clause) for (int i = 0; i < N; i++) { sum_of[i] = i; }                                   \
  expect(clause, 1)
  LOOP("omp parallel for schedule(static)");
  LOOP("omp parallel for schedule(static, 7)");
  LOOP("omp parallel for schedule(dynamic)");
  LOOP("omp parallel for schedule(monotonic: dynamic)");
  LOOP("omp parallel for schedule(guided)");
  LOOP("omp parallel for schedule(monotonic: guided)");
  LOOP("omp parallel for schedule(runtime)");
  LOOP("omp parallel for schedule(monotonic: runtime)");
  LOOP("omp parallel for schedule(nonmonotonic: runtime)");
#pragma omp parallel sections
  {
#pragma omp section
    sum_of[0] = 1;
#pragma omp section
    sum_of[1] = 1;
  }
  expect("sections", 1);
  sum = 0;
#pragma omp parallel reduction(task, + : sum)
  sum += 1;
  expect("task reduction", 1);
#pragma omp teams num_teams(2)
  sum_of[0] = 2;
  expect("teams", 1);
}

static void nested(void) {
  omp_set_max_active_levels(3);
  long inner = 0;
#pragma omp parallel num_threads(2)
  {
    for (int i = 0; i < 5; i++) {
#pragma omp parallel num_threads(2)
#pragma omp atomic
      inner++;
    }
  }
  expect("nested regions", 1);
  if (inner != 20) {
    printf("nested regions ran %ld times\n", inner);
    failures++;
  }
}

static void legacy(void) {
#define PAIR(name, call, body)                                                                     \
  call;                                                                                            \
  body(NULL);                                                                                      \
  GOMP_parallel_end();                                                                             \
  expect(name, 1)
  PAIR("parallel_start", GOMP_parallel_start(nothing, NULL, 2), nothing);
  PAIR("loop_static_start", GOMP_parallel_loop_static_start(no_loop, NULL, 2, 0, 4, 1, 0), no_loop);
  PAIR("loop_dynamic_start", GOMP_parallel_loop_dynamic_start(no_loop, NULL, 2, 0, 4, 1, 1),
       no_loop);
  PAIR("loop_guided_start", GOMP_parallel_loop_guided_start(no_loop, NULL, 2, 0, 4, 1, 1), no_loop);
  PAIR("loop_runtime_start", GOMP_parallel_loop_runtime_start(no_loop, NULL, 2, 0, 4, 1), no_loop);
  PAIR("sections_start", GOMP_parallel_sections_start(no_sections, NULL, 2, 3), no_sections);
  /* A region inside one that was started the old way. */
  GOMP_parallel_start(nothing, NULL, 1);
#pragma omp parallel
  sum_of[0] = 3;
  GOMP_parallel_end();
  expect("region within parallel_start", 1);
}

int main(void) {
  if (!gw_hooked() || gw_current("cpu") == NULL) {
    printf("not hooked: start it with LD_PRELOAD=libgiveway-cpu.so\n");
    return 2;
  }
  seen = launches();
  compiled();
  nested();
  legacy();
  compiled(); /* the depth is balanced */
  printf("%d failures\n", failures);
  return failures != 0;
}
