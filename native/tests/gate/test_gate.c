/* The promises of the gates, in one process and between several. */
#include "program.h"

static void an_active_task_closes_those_below(void) {
  keep_active();
  gw_page *page = open_page();
  gw_task *low = join(page, 0), *middle = join(page, 5), *high = join(page, 10);
  CHECK(!info_of(low).gate_closed && !info_of(high).gate_closed);
  gw_begin(high);
  CHECK(info_of(high).active && !info_of(high).gate_closed);
  CHECK(info_of(low).gate_closed && info_of(middle).gate_closed);
  gw_end(high);
  CHECK(info_of(low).gate_closed); /* linger */
  gw_idle(high);
  CHECK(!info_of(low).gate_closed && !info_of(middle).gate_closed);
  gw_begin(middle);
  CHECK(info_of(low).gate_closed && !info_of(high).gate_closed);
  gw_end(middle);
}

static void equals_do_not_hold_each_other(void) {
  keep_active();
  gw_page *page = open_page();
  gw_task *a = join(page, 3), *b = join(page, 3);
  gw_begin(a);
  CHECK(!info_of(b).gate_closed);
  gw_begin(b);
  CHECK(!info_of(a).gate_closed && !info_of(b).gate_closed);
}

static void priority_changes_while_running(void) {
  keep_active();
  gw_page *page = open_page();
  gw_task *a = join(page, 0), *b = join(page, 1);
  gw_begin(a);
  gw_begin(b);
  CHECK(info_of(a).gate_closed && info_of(a).preemptions == 1);
  CHECK(gw_set_priority(page, info_of(a).ticket, 2) == GW_OK);
  CHECK(!info_of(a).gate_closed && info_of(b).gate_closed);
  CHECK(gw_set_priority(page, info_of(a).ticket, 1001) == GW_E_ARGUMENT);
  CHECK(gw_set_priority(page, info_of(a).ticket, -1001) == GW_E_ARGUMENT);
  CHECK(gw_set_priority(page, 999999, 0) == GW_E_NO_TASK);
  gw_leave(b);
  CHECK(gw_set_priority(page, 0, 0) == GW_E_NO_TASK); /* the ticket of free rows */
  CHECK(gw_set_priority(page, info_of(a).ticket, 3) == GW_OK);
}

static void leaving_opens_the_gates(void) {
  keep_active();
  gw_page *page = open_page();
  gw_task *low = join(page, 0), *high = join(page, 10);
  gw_begin(high);
  CHECK(info_of(low).gate_closed);
  gw_end(high);
  gw_leave(high);
  CHECK(!info_of(low).gate_closed);
}

static void a_task_becomes_idle_by_itself(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  gw_task *low = join(open_page(), 0);
  struct program *high = start_program(10);
  ask(high, gw_begin);
  clock_advance(60 * MS);
  CHECK(info_of_program(high).active); /* in flight, however long */
  ask(high, gw_end);
  clock_advance(5 * MS - 1);
  CHECK(info_of_program(high).active && info_of(low).gate_closed);
  clock_advance(1);
  CHECK(!info_of_program(high).active && !info_of(low).gate_closed);
}

static pid_t watcher_of_this_process(void) {
  pid_t found = 0;
  DIR *threads = opendir("/proc/self/task");
  CHECK(threads != NULL);
  for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
    char path[300], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
    FILE *file = fopen(path, "r");
    if (file != NULL && fgets(name, sizeof name, file) != NULL && strcmp(name, "giveway\n") == 0) {
      found = (pid_t)atoi(entry->d_name);
    }
    if (file != NULL) {
      fclose(file);
    }
  }
  closedir(threads);
  CHECK(found != 0);
  return found;
}

/* How often the watcher looks in a second. */
static uint64_t looks_in_a_second(void) {
  uint64_t before = clock_sleeps_of(watcher_of_this_process());
  clock_advance(1000 * MS);
  return clock_sleeps_of(watcher_of_this_process()) - before;
}

static void a_task_that_nobody_waits_for_is_seldom_looked_at(void) {
  clock_stop();
  gw_page *page = open_page();
  gw_task *task = join(page, 0), *high = join(page, 1);
  gw_leave(high);
  gw_begin(task);
  clock_advance(20 * MS);
  CHECK(looks_in_a_second() == 50); /* every 20 ms */
  join(page, -1);
  clock_advance(20 * MS);
  CHECK(looks_in_a_second() == 500); /* every 2 ms, the linger */
}

static _Atomic bool computed;

static void *compute_after_an_operator(void *task) {
  gw_operator(task);
  while (!atomic_load(&computed)) {
  }
  return NULL;
}

static void an_operator_keeps_its_task_active_while_it_computes(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  gw_page *page = open_page();
  gw_task *task = join(page, 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, compute_after_an_operator, task) == 0);
  CHECK(until(info_of(task).active, 60000));
  clock_advance(1000 * MS);
  CHECK(info_of(task).active);
  clock_advance(20 * MS + 1); /* the longest time for which an operator counts as running */
  CHECK(!info_of(task).active);
  CHECK(info_of(task).operators == 1 && info_of(task).launches == 1);
  atomic_store(&computed, true);
  pthread_join(thread, NULL);
}

static void an_operator_that_is_over_keeps_nothing_active(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  join(open_page(), 0); /* so that it matters whether the other one is active */
  struct program *high = start_program(1);
  ask(high, gw_operator);
  clock_advance(5 * MS - 1);
  CHECK(info_of_program(high).active);
  clock_advance(1);
  CHECK(!info_of_program(high).active);
}

static _Atomic int device_busy;

static int busy(void *context) { return atomic_load((_Atomic int *)context); }

static void an_asynchronous_launch_ends_when_its_device_says_so(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  gw_page *page = open_page();
  gw_task *task;
  struct gw_task_options options = {.name = "async", .busy = busy, .context = &device_busy};
  CHECK(gw_join(page, &options, &task) == GW_OK);
  gw_task *high = join(page, 3);
  CHECK(gw_outranked(task) && !gw_outranked(high));
  atomic_store(&device_busy, 1);
  gw_admit(task);
  clock_advance(1000 * MS);
  CHECK(info_of(task).active && info_of(task).launches == 1);
  atomic_store(&device_busy, 0);
  clock_advance(25 * MS); /* a look of the watcher, and linger */
  CHECK(!info_of(task).active);
  gw_leave(high);
  CHECK(!gw_outranked(task));
}

static void another_process_is_held_and_woken(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1); /* no turns */
  gw_task *high = join(open_page(), 10);
  struct program *low = start_program(0);
  ask(low, gw_begin);
  ask(low, gw_end);
  CHECK(finished(low));
  gw_begin(high);
  ask(low, gw_begin);
  clock_advance(5000 * MS);
  CHECK(!finished(low) && info_of_program(low).waiters == 1);
  gw_end(high);
  clock_settle();
  CHECK(!finished(low)); /* linger */
  gw_idle(high);
  CHECK(until(finished(low), 60000));
  CHECK(info_of_program(low).held == 1 && info_of_program(low).held_ns == 5000 * MS);
}

static void max_wait_of_zero_waits_for_ever(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  gw_page *page = open_page();
  gw_task *high = join(page, 10);
  struct program *low = start_thread(join(page, 0));
  gw_begin(high);
  ask(low, gw_begin);
  clock_advance(5000 * MS);
  CHECK(!finished(low));
  gw_end(high);
  gw_idle(high);
  CHECK(until(finished(low), 60000));
}

/* The holder's last heartbeat counts for 250 ms, and a held task looks every 15 ms. */
static void a_stopped_holder_does_not_hold(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  struct program *high = start_program(10), *low = start_program(0);
  ask(high, gw_begin);
  ask(low, gw_begin);
  stop_program(high);
  clock_advance(250 * MS); /* a container that has used up its quota is stopped for 100 ms */
  CHECK(!finished(low));
  clock_advance(15 * MS);
  CHECK(until(finished(low), 60000) && !info_of_program(high).active);
  ask(low, gw_end);
  continue_program(high);
  clock_advance(20 * MS);
  CHECK(info_of_program(high).active); /* taken back */
  ask(low, gw_begin);
  clock_advance(1000 * MS);
  CHECK(!finished(low));
}

static void a_holder_that_lives_is_not_taken_for_stopped(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  struct program *high = start_program(10), *low = start_program(0);
  ask(high, gw_begin);
  ask(low, gw_begin);
  for (int i = 0; i < 100; i++) {
    clock_advance(20 * MS);
    CHECK(info_of_program(high).active && !finished(low));
  }
}

/* The kernel marks the holder's row: a held task looks every 15 ms. */
static void a_killed_holder_does_not_hold(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  struct program *high = start_program(10), *low = start_program(0);
  ask(high, gw_begin);
  ask(low, gw_begin);
  kill_program(high);
  clock_advance(15 * MS - 1);
  CHECK(!finished(low));
  clock_advance(1);
  CHECK(until(finished(low), 60000));
}

/* A launch that comes later does not wait for it at all. */
static void a_holder_that_was_killed_before_does_not_hold(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  struct program *high = start_program(10), *low = start_program(0);
  ask(high, gw_begin);
  kill_program(high);
  CHECK(info_of_program(low).gate_closed);
  ask(low, gw_begin);
  CHECK(finished(low));
}

static void the_257th_task_is_refused_and_a_freed_row_is_reused(void) {
  gw_page *page = open_page();
  gw_task *tasks[GW_ROWS];
  for (unsigned i = 0; i < GW_ROWS; i++) {
    tasks[i] = join(page, (int)i - 100);
  }
  gw_task *more;
  struct gw_task_options options = {.name = "more"};
  CHECK(gw_join(page, &options, &more) == GW_E_FULL && more == NULL);
  gw_leave(tasks[17]);
  CHECK(gw_join(page, &options, &more) == GW_OK);
  CHECK(info_of(more).row == 17 && info_of(more).ticket == GW_ROWS + 1);
}

static void *enter_and_check(void *argument) {
  gw_own *own, *inner;
  int *passed = argument;
  CHECK(gw_enter("cpu", "thread", 7, &own) == GW_OK);
  gw_task *task = gw_peek();
  CHECK(gw_enter("cpu", "inner", 8, &inner) == GW_OK);
  *passed = gw_peek() != task && info_of(gw_peek()).priority == 8;
  gw_exit(own); /* not the innermost */
  gw_exit(inner);
  *passed = *passed && gw_peek() == task && info_of(task).is_thread && info_of(task).priority == 7;
  gw_exit(own);
  return NULL;
}

static void a_thread_has_its_own_task_and_they_nest(void) {
  setenv("GIVEWAY_PRIORITY", "3", 1);
  setenv("GIVEWAY_NAME", "process", 1);
  gw_task *process = gw_current("cpu");
  CHECK(process != NULL && info_of(process).priority == 3);
  CHECK(strcmp(info_of(process).name, "process") == 0);
  int passed = 0;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, enter_and_check, &passed) == 0);
  pthread_join(thread, NULL);
  CHECK(passed && gw_peek() == process);
  struct gw_task_info infos[GW_ROWS];
  CHECK(gw_tasks(open_page(), infos, GW_ROWS) == 1);
}

static void a_long_name_is_cut_at_a_character(void) {
  gw_task *task;
  struct gw_task_options options = {
      .name = "0123456789012345678901234567890123456789012345\xc3\xa9tail"};
  CHECK(gw_join(open_page(), &options, &task) == GW_OK);
  CHECK(strcmp(info_of(task).name, "0123456789012345678901234567890123456789012345") == 0);
}

static void a_held_operator_keeps_its_task_active(void) {
  clock_stop();
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  gw_task *high = join(open_page(), 10);
  gw_begin(high);
  struct program *low = start_program(0);
  ask(low, gw_operator);
  clock_advance(3000 * MS);
  CHECK(!finished(low) && info_of_program(low).waiters == 1 && info_of_program(low).active);
}

static void on_timer(int signal) { (void)signal; }

static void begin_silently(gw_task *task) {
  CHECK(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) >= 0);
  gw_begin(task);
}

/* A profiler's signal ends every sleep early. The held task checks the page all the same. */
static void a_timer_does_not_keep_a_held_task_from_its_checks(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  signal(SIGALRM, on_timer);
  struct program *high = start_program(10), *low = start_program(0);
  ask(high, gw_begin);
  ask(low, begin_silently);
  char path[4096];
  CHECK(gw_page_path("cpu", path, sizeof path) == GW_OK && unlink(path) == 0);
  for (int i = 0; i < 5; i++) { /* it never sleeps for the 15 ms after which it would look */
    CHECK(!finished(low));
    clock_advance(3 * MS);
    uint64_t sleeps = clock_sleeps_of(low->thread);
    do { /* it may have been awake for a moment */
      CHECK(syscall(SYS_tgkill, low->process, low->thread, SIGALRM) == 0);
      usleep(300);
    } while (clock_sleeps_of(low->thread) == sleeps);
    clock_settle();
  }
  CHECK(until(finished(low), 60000));
}

static const struct test_case cases[] = {
    {"an active task closes those below", an_active_task_closes_those_below},
    {"equals do not hold each other", equals_do_not_hold_each_other},
    {"priority changes while running", priority_changes_while_running},
    {"leaving opens the gates", leaving_opens_the_gates},
    {"a task becomes idle by itself", a_task_becomes_idle_by_itself},
    {"a task that nobody waits for", a_task_that_nobody_waits_for_is_seldom_looked_at},
    {"an operator keeps its task active", an_operator_keeps_its_task_active_while_it_computes},
    {"an operator that is over keeps nothing active",
     an_operator_that_is_over_keeps_nothing_active},
    {"an asynchronous launch ends", an_asynchronous_launch_ends_when_its_device_says_so},
    {"another process is held and woken", another_process_is_held_and_woken},
    {"max_wait of zero waits for ever", max_wait_of_zero_waits_for_ever},
    {"a stopped holder does not hold", a_stopped_holder_does_not_hold},
    {"a holder that lives is not taken for stopped", a_holder_that_lives_is_not_taken_for_stopped},
    {"a killed holder does not hold", a_killed_holder_does_not_hold},
    {"a holder that was killed before does not hold",
     a_holder_that_was_killed_before_does_not_hold},
    {"the 257th task is refused", the_257th_task_is_refused_and_a_freed_row_is_reused},
    {"a thread has its own task", a_thread_has_its_own_task_and_they_nest},
    {"a long name is cut at a character", a_long_name_is_cut_at_a_character},
    {"a held operator keeps its task active", a_held_operator_keeps_its_task_active},
    {"a timer does not keep a task from its checks",
     a_timer_does_not_keep_a_held_task_from_its_checks},
};

RUN_CASES(cases, 240)
