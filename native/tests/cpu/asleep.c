/* A region whose threads all wait for something holds nobody. Run with libgiveway-cpu.so preloaded.
 */
#include "held.h"

#include <semaphore.h>

static struct {
  struct shared shared;
  sem_t semaphore;
} *more;

static void begin(void) {
  more = shared_memory(sizeof *more);
  shared = &more->shared;
  CHECK(sem_init(&more->semaphore, 1, 0) == 0);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
}

/* A region that sleeps, and computes once the test has posted the semaphore for each thread. */
static void sleep_in_a_region(void) {
  setenv("GIVEWAY_PRIORITY", "10", 1);
#pragma omp parallel num_threads(2)
  {
    atomic_fetch_add(&shared->ready, 1);
    while (sem_wait(&more->semaphore) != 0) {
    }
    for (;;) {
      atomic_fetch_add(&shared->steps, 1);
    }
  }
}

static gw_task *beside_a_sleeper(void) {
  begin();
  start_program(sleep_in_a_region);
  CHECK(until(atomic_load(&shared->ready) == 2, 60000));
  return join(open_page(), 0);
}

static void a_region_that_sleeps_holds_nobody(void) {
  gw_task *low = beside_a_sleeper();
  CHECK(until(!info_of(low).gate_closed, 60000));
  gw_begin(low); /* would wait for ever */
}

static void until_it_computes(void) {
  gw_task *low = beside_a_sleeper();
  CHECK(until(!info_of(low).gate_closed, 60000));
  sem_post(&more->semaphore);
  CHECK(until(info_of(low).gate_closed, 60000) && goes_on());
}

static const struct test_case cases[] = {
    {"a region that sleeps holds nobody", a_region_that_sleeps_holds_nobody},
    {"until it computes", until_it_computes},
};

RUN_CASES(cases, 240)
