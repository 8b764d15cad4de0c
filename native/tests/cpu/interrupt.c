/* A region that runs when the gate closes stops where it is, and later goes on from there. Run with
 * libgiveway-cpu.so preloaded. */
#include "harness.h"

#include <omp.h>

#define THREADS 2

struct shared {
  _Atomic uint64_t steps; /* of all threads of the region */
  _Atomic uint64_t go, urged;
  _Atomic uint64_t last_ns[THREADS]; /* when each thread last did one */
};

static struct shared *shared;

static pid_t urgent_program(void) { return fork_urgent(&shared->go); }

/* One region, which runs until go = 3. Returns the sum of its threads' steps. */
static uint64_t long_region(void) {
  uint64_t sum = 0;
#pragma omp parallel num_threads(THREADS) reduction(+ : sum)
  while (atomic_load(&shared->go) < 3) {
    sum++;
    atomic_fetch_add(&shared->steps, 1);
    atomic_store(&shared->last_ns[omp_get_thread_num()], now_ns());
  }
  return sum;
}

static pid_t other_program(void (*before)(void)) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    before();
    uint64_t sum = long_region();
    _exit(sum == atomic_load(&shared->steps) ? 0 : 1);
  }
  CHECK(eventually(&shared->steps, 1000, 60000));
  return pid;
}

static void nothing(void) {}

/* Its task that has work. */
static struct gw_row *row_of(pid_t pid) {
  static struct gw_page_layout *page;
  page = page != NULL ? page : (open_page(), raw_page());
  for (unsigned i = 0; i < GW_ROWS; i++) {
    struct gw_row *row = &page->rows[i];
    if (atomic_load(&row->state) == GW_ACTIVE && atomic_load(&row->pid) == (uint32_t)pid) {
      return row;
    }
  }
  CHECK(!"a program has a task with work");
  return NULL;
}

/* All threads of the region sleep at the gate, and none does another step. Where the machine keeps
 * the urgent program from its heartbeat, the region goes on until the next one. */
static bool comes_to_a_stand(pid_t pid) {
  struct gw_row *row = row_of(pid);
  uint64_t steps;
  do {
    if (!until(atomic_load(&row->waiters) >= THREADS, 60000)) {
      return false;
    }
    steps = atomic_load(&shared->steps);
    await_looks(row, 3);
  } while (atomic_load(&shared->steps) != steps);
  return true;
}

static bool goes_on(void) { return eventually(&shared->steps, atomic_load(&shared->steps), 60000); }

/* The region runs on, although its gate is closed and its watcher has looked. */
static bool never_stops(pid_t pid) {
  struct gw_row *row = row_of(pid);
  for (int i = 0; i < 5; i++) {
    if (!until(atomic_load(&row->gate) == GW_CLOSED, 60000)) {
      return false;
    }
    await_looks(row, 1);
    CHECK(eventually(&shared->steps, atomic_load(&shared->steps) + 1000, 60000));
  }
  return true;
}

static void finish(pid_t other, pid_t urgent) {
  atomic_store(&shared->go, 3);
  int status;
  CHECK(waitpid(other, &status, 0) == other && status == 0);
  kill(urgent, SIGKILL);
  CHECK(waitpid(urgent, NULL, 0) == urgent);
}

static void start(void) {
  shared = shared_memory(sizeof *shared);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
}

static void a_region_stops_and_goes_on(void) {
  start();
  pid_t urgent = urgent_program(), other = other_program(nothing);
  atomic_store(&shared->go, 1);
  CHECK(comes_to_a_stand(other));
  atomic_store(&shared->go, 2);
  CHECK(goes_on());
  await_looks(row_of(other), 3);
  CHECK(goes_on());
  finish(other, urgent);
}

static void many_regions(void) {
  for (int i = 0; i < 100; i++) {
#pragma omp parallel num_threads(THREADS)
    (void)omp_get_thread_num();
  }
}

static void a_region_after_many_others_stops(void) {
  start();
  pid_t urgent = urgent_program(), other = other_program(many_regions);
  atomic_store(&shared->go, 1);
  CHECK(comes_to_a_stand(other));
  finish(other, urgent);
}

static void and_says_when_it_had_stopped(void) {
  start();
  pid_t urgent = urgent_program(), other = other_program(nothing);
  uint64_t before = now_ns();
  atomic_store(&shared->go, 1);
  CHECK(comes_to_a_stand(other));
  uint64_t after = now_ns();
  struct gw_task_info infos[2];
  CHECK(gw_tasks(open_page(), infos, 2) == 2);
  const struct gw_task_info *info = &infos[infos[0].pid == (uint32_t)other ? 0 : 1];
  CHECK(info->pid == (uint32_t)other && info->preemptions >= 1);
  CHECK(before <= info->closed_ns && info->closed_ns <= info->stopped_ns);
  for (int i = 0; i < THREADS; i++) {
    CHECK(atomic_load(&shared->last_ns[i]) <= info->stopped_ns);
  }
  CHECK(info->stopped_ns <= after);
  finish(other, urgent);
}

static void not_where_it_is_switched_off(void) {
  start();
  setenv("GIVEWAY_INTERRUPT", "0", 1);
  pid_t urgent = urgent_program(), other = other_program(nothing);
  atomic_store(&shared->go, 1);
  CHECK(never_stops(other));
  finish(other, urgent);
}

static void count_urge(int signal) {
  (void)signal;
  atomic_fetch_add(&shared->urged, 1);
}

static void take_signal(void) { signal(SIGURG, count_urge); }

static void not_in_a_program_that_handles_the_signal(void) {
  start();
  pid_t urgent = urgent_program(), other = other_program(take_signal);
  atomic_store(&shared->go, 1);
  CHECK(never_stops(other) && atomic_load(&shared->urged) == 0);
  finish(other, urgent);
}

static void take_signal_late(void) {
#pragma omp parallel num_threads(THREADS)
  (void)omp_get_thread_num();
  take_signal();
}

static void nor_in_one_that_comes_to_handle_it_later(void) {
  start();
  pid_t urgent = urgent_program(), other = other_program(take_signal_late);
  atomic_store(&shared->go, 1);
  CHECK(never_stops(other) && atomic_load(&shared->urged) == 0);
  finish(other, urgent);
}

static void second_task(void) { join(open_page(), 5); }

static void not_in_a_program_with_several_tasks(void) {
  start();
  pid_t urgent = urgent_program(), other = other_program(second_task);
  atomic_store(&shared->go, 1);
  CHECK(never_stops(other));
  finish(other, urgent);
}

static void a_dead_holder_lets_it_go(void) {
  start();
  pid_t urgent = urgent_program(), other = other_program(nothing);
  atomic_store(&shared->go, 1);
  CHECK(comes_to_a_stand(other));
  kill(urgent, SIGKILL);
  CHECK(goes_on());
  finish(other, urgent);
}

static void a_stopped_region_does_not_starve(void) {
  start();
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  setenv("GIVEWAY_QUANTUM_MS", "10", 1);
  pid_t urgent = urgent_program(), other = other_program(nothing);
  atomic_store(&shared->go, 1);
  for (int turn = 0; turn < 3; turn++) {
    CHECK(until(atomic_load(&row_of(other)->waiters) >= THREADS, 60000));
    CHECK(goes_on());
  }
  finish(other, urgent);
}

static void a_closed_page_lets_it_go(void) {
  start();
  pid_t urgent = urgent_program(), other = other_program(nothing);
  atomic_store(&shared->go, 1);
  CHECK(comes_to_a_stand(other));
  char path[4096];
  CHECK(gw_page_path("cpu", path, sizeof path) == GW_OK && truncate(path, 0) == 0);
  CHECK(goes_on());
  finish(other, urgent);
}

static const struct test_case cases[] = {
    {"a region stops and goes on", a_region_stops_and_goes_on},
    {"a region after many others stops", a_region_after_many_others_stops},
    {"and says when it had stopped", and_says_when_it_had_stopped},
    {"not where it is switched off", not_where_it_is_switched_off},
    {"not in a program that handles the signal", not_in_a_program_that_handles_the_signal},
    {"nor in one that comes to handle it later", nor_in_one_that_comes_to_handle_it_later},
    {"not in a program with several tasks", not_in_a_program_with_several_tasks},
    {"a dead holder lets it go", a_dead_holder_lets_it_go},
    {"a stopped region does not starve", a_stopped_region_does_not_starve},
    {"a page cut short lets it go", a_closed_page_lets_it_go},
};

RUN_CASES(cases, 240)
