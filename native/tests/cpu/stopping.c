/* A held program that is told to end comes to do so, also in the middle of a region. Run with
 * libgiveway-cpu.so preloaded. */
#include "held.h"

static volatile sig_atomic_t told;

static void note(int signal) {
  (void)signal;
  told = 1;
}

/* One region after another of a hundred steps each, until the program has seen the signal, which it
 * looks for between two regions. */
static void work(void) {
  while (!told) {
#pragma omp parallel num_threads(2)
    for (int i = 0; i < 50; i++) {
      for (uint64_t end = now_ns() + MS / 10; now_ns() < end;) {
      }
      atomic_fetch_add(&shared->steps, 1);
    }
  }
}

static void work_with_handler(void) {
  signal(SIGTERM, note);
  work();
}

static void work_without_handler(void) { work(); }

static pid_t held(void (*run)(void)) {
  pid_t urgent = urgent_program(), low = start_program(run);
  CHECK(eventually(&shared->steps, 1000, 60000));
  atomic_store(&shared->go, 1);
  CHECK(stands(row_of(low)) && urgent > 0);
  return low;
}

static void a_handler_that_sets_a_flag_is_enough(void) {
  begin_held();
  pid_t low = held(work_with_handler);
  CHECK(kill(low, SIGTERM) == 0 && ends_well(low));
}

static void the_default_action_needs_no_gate(void) {
  begin_held();
  pid_t low = held(work_without_handler);
  int status;
  CHECK(kill(low, SIGTERM) == 0 && waitpid(low, &status, 0) == low);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void (*volatile previous)(int);

static void note_and_pass_on(int signal) {
  atomic_fetch_add(&shared->ready, 1);
  previous(signal);
}

/* As faulthandler does, and readline. */
static void work_with_chained_handlers(void) {
  signal(SIGTERM, note);
#pragma omp parallel num_threads(2)
  atomic_fetch_add(&shared->steps, 1);
  while ((previous = signal(SIGTERM, SIG_IGN)) == note) { /* until the relay is in place */
    signal(SIGTERM, note);
#pragma omp parallel num_threads(2)
    usleep(1000);
  }
  signal(SIGTERM, note_and_pass_on);
  work();
}

static void handlers_that_call_each_other_are_called_once(void) {
  begin_held();
  pid_t low = held(work_with_chained_handlers);
  CHECK(kill(low, SIGTERM) == 0 && ends_well(low));
  CHECK(atomic_load(&shared->ready) == 1);
}

static void work_with_other_handler(void) {
  signal(SIGUSR1, note);
  signal(SIGTERM, note);
  work();
}

static void other_signals_open_no_gate(void) {
  begin_held();
  pid_t low = held(work_with_other_handler);
  CHECK(kill(low, SIGUSR1) == 0 && stands(row_of(low)));
}

static void not_where_it_is_switched_off(void) {
  begin_held();
  setenv("GIVEWAY_GRACE_MS", "0", 1);
  pid_t low = held(work_with_handler);
  CHECK(kill(low, SIGTERM) == 0 && stands(row_of(low)));
}

static void count_only(int signal) {
  (void)signal;
  atomic_fetch_add(&shared->ready, 1);
}

static void work_on_regardless(void) {
  signal(SIGINT, count_only);
  work();
}

/* An interpreter that is interrupted goes on afterwards. */
static void the_grace_period_ends(void) {
  begin_held();
  setenv("GIVEWAY_GRACE_MS", "1000", 1); /* a busy machine may stall its threads */
  pid_t low = held(work_on_regardless);
  for (uint64_t i = 1; i <= 2; i++) {
    uint64_t steps = atomic_load(&shared->steps);
    CHECK(kill(low, SIGINT) == 0 && eventually(&shared->steps, steps, 60000));
    CHECK(stands(row_of(low)) && atomic_load(&shared->ready) == i);
  }
}

static void fork_and_wait(void) {
  signal(SIGTERM, note);
  gw_begin(gw_current("cpu")); /* no region: a child's regions would hang after one */
  struct gw_row *row = row_of(getpid());
  await_looks(row, 1);
  raise(SIGTERM);
  CHECK(until(atomic_load(&row->grace_end_ns) != 0, 60000));
  if (fork() == 0) {
    told = 0;
    atomic_store(&shared->ready, (uint64_t)getpid());
    work();
  }
  pause();
}

static void a_child_was_not_told(void) {
  begin_held();
  pid_t urgent = urgent_program(), low = start_program(fork_and_wait);
  CHECK(eventually(&shared->steps, 1000, 60000) && urgent > 0 && low > 0);
  atomic_store(&shared->go, 1);
  CHECK(stands(row_of((pid_t)atomic_load(&shared->ready))));
}

static const struct test_case cases[] = {
    {"a handler that sets a flag is enough", a_handler_that_sets_a_flag_is_enough},
    {"the default action needs no gate", the_default_action_needs_no_gate},
    {"handlers that call each other are called once",
     handlers_that_call_each_other_are_called_once},
    {"other signals open no gate", other_signals_open_no_gate},
    {"not where it is switched off", not_where_it_is_switched_off},
    {"the grace period ends", the_grace_period_ends},
    {"a child was not told", a_child_was_not_told},
};

RUN_CASES(cases, 240)
