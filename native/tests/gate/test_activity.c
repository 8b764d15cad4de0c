/* When a task is active, and with which priority. */
#include "program.h"

static void a_task_that_runs_does_not_become_idle(void) {
  keep_active();
  gw_page *page = open_page();
  gw_task *low = join(page, 0), *high = join(page, 10);
  gw_begin(high);
  gw_idle(high);
  CHECK(info_of(high).active && info_of(low).gate_closed);
  gw_end(high);
  gw_idle(high);
  CHECK(!info_of(high).active && !info_of(low).gate_closed);
}

/* An operator has no end that is reported: it runs from when it is let go. */
static void a_held_operator_begins_when_it_is_let_go(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "100", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  gw_page *page = open_page();
  gw_task *high = join(page, 10);
  join(page, -1); /* so that it matters whether the operator's task is active */
  struct program *low = start_program(0);
  gw_begin(high);
  ask(low, gw_operator);
  clock_advance(3000 * MS);
  CHECK(!finished(low));
  gw_end(high);
  gw_idle(high);
  CHECK(until(finished(low) && thread_state(low->process, low->thread) == 'S', 60000));
  clock_advance(100 * MS - 1);
  CHECK(info_of_program(low).active);
  clock_advance(20 * MS + 1); /* linger, and a look of the watcher */
  CHECK(!info_of_program(low).active);
}

static int count_tasks(void) {
  struct gw_task_info infos[8];
  return gw_tasks(open_page(), infos, 8);
}

static int nothing_runs(void *context) {
  (void)context;
  return 0;
}

/* Where the ends of launches are not reported, linger counts from when the hook says that all is
 * done, and not from when the watcher next finds that there were launches. */
static void linger_counts_from_rest(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "100", 1);
  gw_page *page = open_page();
  join(page, -1); /* so that it matters whether the other one is active */
  gw_task *task;
  struct gw_task_options options = {.name = "test", .busy = nothing_runs};
  CHECK(gw_join(page, &options, &task) == GW_OK);
  gw_admit(task);
  clock_advance(50 * MS);
  gw_admit(task);
  gw_rest(task);
  clock_advance(100 * MS - 1);
  CHECK(info_of(task).active);
  clock_advance(1);
  CHECK(!info_of(task).active);
}

static _Atomic int device_works;

static int says_device_works(void *context) {
  (void)context;
  return atomic_load(&device_works);
}

/* Its program waits without a call that says that all is done, for an event or a word of memory. */
static void linger_counts_from_the_end_of_the_work(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "2", 1);
  gw_page *page = open_page();
  gw_task *low = join(page, 0), *urgent;
  struct gw_task_options options = {.name = "test", .priority = 10, .busy = says_device_works};
  CHECK(gw_join(page, &options, &urgent) == GW_OK);
  gw_begin(low);
  gw_end(low);
  for (int token = 0; token < 10; token++) {
    atomic_store(&device_works, 1);
    gw_admit(urgent);
    clock_advance(6 * MS);
    atomic_store(&device_works, 0);
    clock_advance(MS + token * MS / 10); /* the program prepares the next launch */
  }
  CHECK(info_of(low).preemptions == 1 && info_of(low).gate_closed);
  clock_advance(5 * MS);
  CHECK(!info_of(urgent).active && !info_of(low).gate_closed);
}

static gw_task *waited_for;

static int a_wait_ends(void *context) {
  (void)context;
  if (atomic_load(&device_works)) {
    atomic_store(&device_works, 0);
    gw_rest(waited_for);
  }
  return 0;
}

/* The program's thread comes back from its wait while the watcher asks whether the device works. */
static void linger_counts_from_a_wait_that_ends_during_a_look(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "2", 1);
  gw_page *page = open_page();
  gw_task *low = join(page, 0);
  struct gw_task_options options = {.name = "test", .priority = 10, .busy = a_wait_ends};
  CHECK(gw_join(page, &options, &waited_for) == GW_OK);
  gw_begin(low);
  gw_end(low);
  atomic_store(&device_works, 1);
  gw_admit(waited_for);
  for (int ms = 0; ms < 100 && atomic_load(&device_works); ms++) {
    clock_advance(MS);
  }
  CHECK(!atomic_load(&device_works) && info_of(low).gate_closed);
  clock_advance(2 * MS - 1);
  CHECK(info_of(low).gate_closed);
  clock_advance(2 * MS);
  CHECK(!info_of(low).gate_closed);
}

/* The watcher asks the hook without a lock of its own, because a driver may block. */
static gw_task *asked_about;
static _Atomic int looks, still_there;

static int leaves(void *context) {
  (void)context;
  gw_leave(asked_about);
  atomic_fetch_add(&looks, 1);
  atomic_store(&still_there, count_tasks());
  return 1;
}

static int submitted_late(void *context) {
  (void)context;
  gw_resume(asked_about);
  atomic_fetch_add(&looks, 1);
  return 0;
}

static void ask_about(int (*busy)(void *)) {
  clock_stop();
  gw_page *page = open_page();
  join(page, -1); /* so that it matters whether the other one is active */
  struct gw_task_options options = {.name = "asked", .busy = busy};
  CHECK(gw_join(page, &options, &asked_about) == GW_OK);
  gw_admit(asked_about);
  clock_advance(1000 * MS);
}

static void a_task_may_leave_while_the_watcher_asks_about_it(void) {
  ask_about(leaves);
  CHECK(count_tasks() == 1 && atomic_load(&looks) == 1 && atomic_load(&still_there) == 2);
}

static void work_that_comes_while_the_watcher_asks_keeps_a_task_active(void) {
  ask_about(submitted_late);
  CHECK(atomic_load(&looks) >= 3 && info_of(asked_about).active);
}

static gw_task *submitting;
static int submissions;

/* The watcher finds the device free, and right after that the work is submitted. */
static int submit_after_the_look(void *context) {
  if (submissions > 0) {
    submissions--;
    gw_resume(submitting);
  }
  return nothing_runs(context);
}

static void a_task_whose_work_is_submitted_late_stays_active(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "100", 1);
  gw_page *page = open_page();
  join(page, -1); /* so that it matters whether the other one is active */
  struct gw_task_options options = {.name = "test", .busy = submit_after_the_look};
  CHECK(gw_join(page, &options, &submitting) == GW_OK);
  submissions = 1;
  gw_admit(submitting);
  clock_advance(200 * MS);
  CHECK(submissions == 0 && info_of(submitting).active);
  clock_advance(200 * MS);
  CHECK(!info_of(submitting).active);
  gw_resume(submitting);
  CHECK(info_of(submitting).active && info_of(submitting).launches == 1);
}

/* A thread that waits for its device lends its priority to the tasks of its process meanwhile. */
static void a_loan_counts_until_it_is_given_back(void) {
  clock_stop();
  keep_active();
  struct program *other = start_program(5);
  gw_page *page = open_page();
  gw_task *low = join(page, 0), *urgent = join(page, 10);
  ask(other, gw_begin);
  CHECK(info_of(low).gate_closed);
  struct gw_loan loan;
  gw_lend(urgent, &loan);
  CHECK(!info_of(low).gate_closed && info_of(low).priority == 0);
  gw_lend_end(&loan);
  CHECK(info_of(low).gate_closed);
}

static void a_preemption_was_lately_for_a_second(void) {
  clock_stop();
  keep_active();
  gw_page *page = open_page();
  gw_task *low = join(page, 0), *high = join(page, 10);
  struct gw_stream_gate gate;
  gw_begin(low);
  CHECK(gw_stream_gate(low, &gate) == 1 && !gate.preempted_lately && gate.closing == 0);
  gw_begin(high);
  CHECK(gw_stream_gate(low, &gate) == 1 && gate.preempted_lately && gate.closing == gw_now());
  gw_end(high);
  gw_idle(high);
  clock_advance(1000 * MS - 1);
  CHECK(gw_stream_gate(low, &gate) == 1 && gate.preempted_lately && gate.closing == 0);
  clock_advance(1);
  CHECK(gw_stream_gate(low, &gate) == 1 && !gate.preempted_lately);
}

static void *end_inside_a_launch(void *task) {
  gw_begin(task);
  gw_begin(task);
  gw_end(task);
  pthread_exit(NULL);
}

static void *cancelled_inside_a_launch(void *task) {
  gw_begin(task);
  for (;;) {
    pause();
  }
  return NULL;
}

static void a_thread_that_ends_inside_a_launch_keeps_nothing_active(void) {
  clock_stop();
  gw_task *task = join(open_page(), 0);
  pthread_t threads[2];
  CHECK(pthread_create(&threads[0], NULL, end_inside_a_launch, task) == 0);
  CHECK(pthread_create(&threads[1], NULL, cancelled_inside_a_launch, task) == 0);
  CHECK(until(info_of(task).launches == 3, 60000));
  CHECK(pthread_join(threads[0], NULL) == 0);
  clock_advance(1000 * MS);
  CHECK(info_of(task).active); /* the other thread is still inside */
  CHECK(pthread_cancel(threads[1]) == 0 && pthread_join(threads[1], NULL) == 0);
  clock_advance(41 * MS); /* linger, and a look of the watcher */
  CHECK(!info_of(task).active);
}

static void lock_page_and_stay(gw_task *task) {
  (void)task;
  pthread_mutex_lock(&raw_page()->header.lock);
}

/* The most urgent task is active, and is killed in the middle of a transition. */
static void who_dies_with_the_lock_is_gone_for_the_next(void) {
  clock_stop();
  keep_active();
  struct program *high = start_program(10), *low = start_program(0);
  ask(high, gw_begin);
  ask(high, lock_page_and_stay);
  kill_program(high);
  ask(low, gw_begin);
  CHECK(finished(low) && info_of_program(low).active && !info_of_program(low).gate_closed);
}

static const struct test_case cases[] = {
    {"a task that runs does not become idle", a_task_that_runs_does_not_become_idle},
    {"a held operator begins when it is let go", a_held_operator_begins_when_it_is_let_go},
    {"linger counts from rest", linger_counts_from_rest},
    {"linger counts from the end of the work", linger_counts_from_the_end_of_the_work},
    {"linger counts from a wait that ends during a look",
     linger_counts_from_a_wait_that_ends_during_a_look},
    {"a task may leave while the watcher asks about it",
     a_task_may_leave_while_the_watcher_asks_about_it},
    {"work that comes while the watcher asks keeps a task active",
     work_that_comes_while_the_watcher_asks_keeps_a_task_active},
    {"a task whose work is submitted late stays active",
     a_task_whose_work_is_submitted_late_stays_active},
    {"a loan counts until it is given back", a_loan_counts_until_it_is_given_back},
    {"a preemption was lately for a second", a_preemption_was_lately_for_a_second},
    {"a thread that ends inside a launch", a_thread_that_ends_inside_a_launch_keeps_nothing_active},
    {"who dies with the lock is gone for the next", who_dies_with_the_lock_is_gone_for_the_next},
};

RUN_CASES(cases, 240)
