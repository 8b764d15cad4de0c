/* What an urgent program leaves of the CPU is for others, region by region. Run with
 * libgiveway-cpu.so preloaded. No test opens a region before it forks: a child's would hang. */
#include "held.h"

#include <omp.h>
#include <sched.h>

#define THREADS 2

static struct {
  struct shared shared;
  _Atomic uint64_t cpus[THREADS]; /* how many each thread of the low program may use */
  _Atomic uint64_t child_cpus;
  _Atomic uint64_t end;
} *more;

static void begin(void) {
  more = shared_memory(sizeof *more);
  shared = &more->shared;
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
}

static unsigned allowed(void) {
  cpu_set_t cpus;
  CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
  return (unsigned)CPU_COUNT(&cpus);
}

static void look(void) { atomic_store(&more->cpus[omp_get_thread_num()], allowed()); }

/* A region that lasts until the test ends it. */
static void long_region(void) {
#pragma omp parallel num_threads(THREADS)
  while (atomic_load(&more->end) == 0) {
    look();
    atomic_fetch_add(&shared->steps, 1);
  }
  atomic_store(&more->cpus[0], allowed());
  atomic_store(&more->end, 2);
  for (;;) {
    pause(); /* a row without a program has an open gate */
  }
}

static void fork_in_a_region(void) {
#pragma omp parallel num_threads(THREADS)
  while (atomic_load(&more->end) == 0) {
    look();
    atomic_fetch_add(&shared->steps, 1);
    if (omp_get_thread_num() == 0 && atomic_load(&shared->ready) == 1 && fork() == 0) {
      atomic_store(&more->child_cpus, allowed());
      _exit(0);
    }
  }
}

/* An urgent task on the cores of the low one. It leaves one of them. */
static pid_t start_urgent(const struct gw_row *low) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid != 0) {
    return pid;
  }
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  gw_task *task = join(open_page(), 10);
  struct gw_core_use use = {.width = 0};
  for (int i = 0; i < GW_CORES_SIZE; i++) {
    use.cores[i] = atomic_load(&low->cores[i]);
    use.width += (uint32_t)__builtin_popcountll(use.cores[i]);
  }
  use.width--;
  gw_use_cores(task, &use);
  gw_begin(task);
  while (atomic_load(&shared->go) == 0) {
    usleep(100);
  }
  gw_end(task);
  gw_idle(task);
  for (;;) {
    pause();
  }
}

/* The low program, with an urgent one beside it. NULL: with one core there is none to leave. */
static struct gw_row *start_both(void (*run)(void)) {
  begin();
  pid_t low = start_program(run);
  CHECK(eventually(&shared->steps, 100, 60000));
  struct gw_row *row = row_of(low);
  CHECK(until(atomic_load(&row->width) == THREADS, 60000));
  if (allowed() == 1) {
    return NULL;
  }
  CHECK(start_urgent(row) > 0);
  CHECK(until(atomic_load(&row->gate) == GW_NARROW, 60000));
  return row;
}

/* Where the machine keeps the urgent program from its heartbeat, the gate is open until the next.
 */
static bool stays_narrow(const struct gw_row *row) {
  return until(atomic_load(&row->gate) == GW_NARROW, 60000);
}

static bool both_may_use(unsigned least, unsigned most) {
  return until(atomic_load(&more->cpus[0]) >= least && atomic_load(&more->cpus[0]) <= most &&
                   atomic_load(&more->cpus[1]) >= least && atomic_load(&more->cpus[1]) <= most,
               60000);
}

static void a_region_goes_on_on_the_cores_that_are_left(void) {
  struct gw_row *row = start_both(long_region);
  unsigned all = allowed();
  if (row != NULL) {
    CHECK(both_may_use(1, all - 1) && goes_on() && stays_narrow(row));
    atomic_store(&shared->go, 1);
    CHECK(both_may_use(all, all) && goes_on()); /* still in the same region */
  }
}

static void outside_of_regions_the_affinity_is_the_programs_own(void) {
  struct gw_row *row = start_both(long_region);
  unsigned all = allowed();
  if (row != NULL) {
    CHECK(both_may_use(1, all - 1));
    atomic_store(&more->end, 1);
    CHECK(until(atomic_load(&more->end) == 2, 60000) && atomic_load(&more->cpus[0]) == all);
    CHECK(stays_narrow(row));
  }
}

static void a_child_has_the_programs_own_affinity(void) {
  struct gw_row *row = start_both(fork_in_a_region);
  unsigned all = allowed();
  if (row != NULL) {
    CHECK(both_may_use(1, all - 1));
    atomic_store(&shared->ready, 1);
    CHECK(until(atomic_load(&more->child_cpus) == all, 60000));
  }
}

static const struct test_case cases[] = {
    {"a region goes on on the cores that are left", a_region_goes_on_on_the_cores_that_are_left},
    {"outside of regions the affinity is the program's own",
     outside_of_regions_the_affinity_is_the_programs_own},
    {"a child has the program's own affinity", a_child_has_the_programs_own_affinity},
};

RUN_CASES(cases, 240)
