/* The hooks of the cpu device in one list, for their look-up and for the test that checks their
 * exports. */
#ifndef GIVEWAY_CPU_ENTRY_POINTS_H
#define GIVEWAY_CPU_ENTRY_POINTS_H

/* Each entry point opens a parallel region. Code of GCC before 4.9 calls the functions with _start,
 * and ends the region with GOMP_parallel_end. */
#define GW_CPU_ENTRIES(E)                                                                          \
  E(GOMP_parallel)                                                                                 \
  E(GOMP_parallel_reductions)                                                                      \
  E(GOMP_parallel_sections)                                                                        \
  E(GOMP_parallel_loop_static)                                                                     \
  E(GOMP_parallel_loop_dynamic)                                                                    \
  E(GOMP_parallel_loop_guided)                                                                     \
  E(GOMP_parallel_loop_runtime)                                                                    \
  E(GOMP_parallel_loop_nonmonotonic_dynamic)                                                       \
  E(GOMP_parallel_loop_nonmonotonic_guided)                                                        \
  E(GOMP_parallel_loop_nonmonotonic_runtime)                                                       \
  E(GOMP_parallel_loop_maybe_nonmonotonic_runtime)                                                 \
  E(GOMP_teams_reg)                                                                                \
  E(GOMP_parallel_start)                                                                           \
  E(GOMP_parallel_end)                                                                             \
  E(GOMP_parallel_sections_start)                                                                  \
  E(GOMP_parallel_loop_static_start)                                                               \
  E(GOMP_parallel_loop_dynamic_start)                                                              \
  E(GOMP_parallel_loop_guided_start)                                                               \
  E(GOMP_parallel_loop_runtime_start)

#endif
