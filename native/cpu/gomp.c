/* Hooks on libgomp's entry points: a region waits at the gate, then the caller's runtime runs it.
 */
#include <sched.h>

#include "interrupt.h"
#include "region.h"
#include "use.h"

#define HOOK __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

/* If no library defines the entry point, the calling thread runs the body alone: a team of one
 * thread is valid. */
#define REGION(name, parameters, type, arguments, serial)                                          \
  HOOK void name parameters {                                                                      \
    const struct runtime *runtime = gw_runtime_of(CALLER);                                         \
    gw_task *task = gw_region_begin(runtime);                                                      \
    struct gw_body own = {body, data, sched_getcpu(), runtime, task, 0};                           \
    if (task != NULL) {                                                                            \
      body = gw_run_body;                                                                          \
      data = &own;                                                                                 \
    }                                                                                              \
    if (runtime->name != NULL) {                                                                   \
      ((void(*) type)runtime->name) arguments;                                                     \
    } else {                                                                                       \
      serial;                                                                                      \
    }                                                                                              \
    gw_team_end(own.team);                                                                         \
    gw_region_end(task);                                                                           \
  }                                                                                                \
  _Static_assert(1, "a semicolon follows")

REGION(GOMP_parallel, (body_fn body, void *data, unsigned threads, unsigned flags),
       (body_fn, void *, unsigned, unsigned), (body, data, threads, flags), body(data));
REGION(GOMP_parallel_sections,
       (body_fn body, void *data, unsigned threads, unsigned count, unsigned flags),
       (body_fn, void *, unsigned, unsigned, unsigned), (body, data, threads, count, flags),
       body(data));
REGION(GOMP_teams_reg,
       (body_fn body, void *data, unsigned teams, unsigned thread_limit, unsigned flags),
       (body_fn, void *, unsigned, unsigned, unsigned), (body, data, teams, thread_limit, flags),
       body(data));

/* The runtime itself reads the data of this region, so gw_run_body cannot wrap its body. */
HOOK unsigned GOMP_parallel_reductions(body_fn body, void *data, unsigned threads, unsigned flags) {
  const struct runtime *runtime = gw_runtime_of(CALLER);
  gw_task *task = gw_region_begin_unstoppable(runtime);
  unsigned team = 1;
  if (runtime->GOMP_parallel_reductions != NULL) {
    team = ((unsigned (*)(body_fn, void *, unsigned, unsigned))runtime->GOMP_parallel_reductions)(
        body, data, threads, flags);
  } else {
    body(data);
  }
  gw_region_end_unstoppable(task);
  return team;
}

/* Loops with a chunk size, and loops whose schedule the environment chooses. */
#define CHUNKED(name)                                                                              \
  REGION(name,                                                                                     \
         (body_fn body, void *data, unsigned threads, long start, long end, long step, long chunk, \
          unsigned flags),                                                                         \
         (body_fn, void *, unsigned, long, long, long, long, unsigned),                            \
         (body, data, threads, start, end, step, chunk, flags), body(data))
#define SCHEDULED(name)                                                                            \
  REGION(name,                                                                                     \
         (body_fn body, void *data, unsigned threads, long start, long end, long step,             \
          unsigned flags),                                                                         \
         (body_fn, void *, unsigned, long, long, long, unsigned),                                  \
         (body, data, threads, start, end, step, flags), body(data))

CHUNKED(GOMP_parallel_loop_static);
CHUNKED(GOMP_parallel_loop_dynamic);
CHUNKED(GOMP_parallel_loop_guided);
CHUNKED(GOMP_parallel_loop_nonmonotonic_dynamic);
CHUNKED(GOMP_parallel_loop_nonmonotonic_guided);
SCHEDULED(GOMP_parallel_loop_runtime);
SCHEDULED(GOMP_parallel_loop_nonmonotonic_runtime);
SCHEDULED(GOMP_parallel_loop_maybe_nonmonotonic_runtime);

/* GCC before 4.9: the caller calls start, runs the body itself, and calls parallel_end. */
static _Thread_local gw_task *started;

static const struct runtime *start(const void *caller) {
  const struct runtime *runtime = gw_runtime_of(caller);
  gw_task *task = gw_region_begin_unstoppable(runtime);
  if (gw_region_depth == 1) {
    started = task;
  }
  return runtime;
}

#define START(name, parameters, type, arguments)                                                   \
  HOOK void name parameters {                                                                      \
    const struct runtime *runtime = start(CALLER);                                                 \
    if (runtime->name != NULL) {                                                                   \
      ((void(*) type)runtime->name) arguments;                                                     \
    }                                                                                              \
  }                                                                                                \
  _Static_assert(1, "a semicolon follows")

START(GOMP_parallel_start, (body_fn body, void *data, unsigned threads),
      (body_fn, void *, unsigned), (body, data, threads));
START(GOMP_parallel_sections_start, (body_fn body, void *data, unsigned threads, unsigned count),
      (body_fn, void *, unsigned, unsigned), (body, data, threads, count));

#define CHUNKED_START(name)                                                                        \
  START(name,                                                                                      \
        (body_fn body, void *data, unsigned threads, long from, long to, long step, long chunk),   \
        (body_fn, void *, unsigned, long, long, long, long),                                       \
        (body, data, threads, from, to, step, chunk))

CHUNKED_START(GOMP_parallel_loop_static_start);
CHUNKED_START(GOMP_parallel_loop_dynamic_start);
CHUNKED_START(GOMP_parallel_loop_guided_start);
START(GOMP_parallel_loop_runtime_start,
      (body_fn body, void *data, unsigned threads, long from, long to, long step),
      (body_fn, void *, unsigned, long, long, long), (body, data, threads, from, to, step));

HOOK void GOMP_parallel_end(void) {
  const struct runtime *runtime = gw_runtime_of(CALLER);
  if (runtime->GOMP_parallel_end != NULL) {
    ((void (*)(void))runtime->GOMP_parallel_end)();
  }
  gw_task *task = NULL;
  if (gw_region_depth == 1) {
    task = started;
    started = NULL;
  }
  gw_region_end_unstoppable(task);
}
