/* What the gates promise, seen from one process and from several. */
#include "progress.h"

#include <pthread.h>
#include <sys/time.h>

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
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  gw_page *page = open_page();
  gw_task *low = join(page, 0), *high = join(page, 10);
  gw_begin(high);
  sleep_ms(60);
  CHECK(info_of(high).active); /* in flight, however long */
  gw_end(high);
  CHECK(until(!info_of(high).active && !info_of(low).gate_closed, 10000));
}

/* How often the watcher has slept; it is told from the other threads by its name. */
static long watcher_sleeps(void) {
  long sleeps = -1;
  DIR *threads = opendir("/proc/self/task");
  CHECK(threads != NULL);
  for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
    char path[300], line[128];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    FILE *file = fopen(path, "r");
    bool watcher = false;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
      watcher = watcher || strcmp(line, "Name:\tgiveway\n") == 0;
      if (watcher) {
        sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps);
      }
    }
    if (file != NULL) {
      fclose(file);
    }
  }
  closedir(threads);
  CHECK(sleeps >= 0);
  return sleeps;
}

static uint64_t time_of_ten_looks(void) {
  long before = watcher_sleeps();
  uint64_t start = now_ns();
  CHECK(until(watcher_sleeps() - before >= 10, 5000));
  return now_ns() - start;
}

static void a_task_that_nobody_waits_for_is_seldom_looked_at(void) {
  gw_page *page = open_page();
  gw_task *task = join(page, 0), *high = join(page, 1);
  gw_leave(high);
  gw_begin(task);
  sleep_ms(50);
  CHECK(time_of_ten_looks() >= 100 * MS);
  join(page, -1);
  sleep_ms(50);
  uint64_t shortest = UINT64_MAX; /* a machine that is late only makes them longer */
  for (int i = 0; i < 5; i++) {
    uint64_t took = time_of_ten_looks();
    shortest = took < shortest ? took : shortest;
  }
  CHECK(shortest < 80 * MS);
}

static void an_operator_keeps_its_task_active_while_it_computes(void) {
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  gw_page *page = open_page();
  gw_task *task = join(page, 0);
  gw_operator(task);
  for (uint64_t end = now_ns() + 150 * MS; now_ns() < end;) {
  }
  CHECK(info_of(task).active);
  CHECK(until(!info_of(task).active, 10000));
  CHECK(info_of(task).operators == 1 && info_of(task).launches == 1);
}

static _Atomic int device_busy;

static int busy(void *context) { return atomic_load((_Atomic int *)context); }

static void an_asynchronous_launch_ends_when_its_device_says_so(void) {
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  gw_page *page = open_page();
  gw_task *task;
  struct gw_task_options options = {.name = "async", .busy = busy, .context = &device_busy};
  CHECK(gw_join(page, &options, &task) == GW_OK);
  gw_task *high = join(page, 3);
  CHECK(gw_outranked(task) && !gw_outranked(high));
  atomic_store(&device_busy, 1);
  gw_admit(task);
  sleep_ms(100);
  CHECK(info_of(task).active && info_of(task).launches == 1);
  atomic_store(&device_busy, 0);
  CHECK(until(!info_of(task).active, 10000));
  gw_leave(high);
  CHECK(!gw_outranked(task));
}

static void another_process_is_held_and_woken(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  struct progress *low = shared_memory(sizeof *low);
  pid_t pid = spawn(0, low);
  CHECK(eventually(&low->launches, 5, 10000));
  gw_task *high = join(open_page(), 10);
  gw_begin(high);
  CHECK(stands_still(atomic_load(&low->launches), 100));
  uint64_t then = atomic_load(&low->launches);
  gw_end(high);
  gw_idle(high);
  CHECK(eventually(&low->launches, then, 10000));
  stop(pid);
}

static _Atomic bool passed;

static void *pass(void *task) {
  gw_begin(task);
  atomic_store(&passed, true);
  gw_end(task);
  return NULL;
}

static void max_wait_of_zero_waits_for_ever(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  gw_page *page = open_page();
  gw_task *low = join(page, 0), *high = join(page, 10);
  gw_begin(high);
  pthread_t thread; /* of this process, so that no holder that is late lets it go */
  CHECK(pthread_create(&thread, NULL, pass, low) == 0);
  CHECK(somebody_waits("cpu"));
  sleep_ms(1500);
  CHECK(!atomic_load(&passed));
  gw_end(high);
  gw_idle(high);
  CHECK(pthread_join(thread, NULL) == 0 && atomic_load(&passed));
}

static void a_stopped_holder_does_not_hold(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  struct progress *low = shared_memory(sizeof *low), *high = shared_memory(sizeof *high);
  pid_t urgent = spawn(10, high);
  CHECK(eventually(&high->launches, 3, 10000));
  pid_t other = spawn(0, low);
  CHECK(somebody_waits("cpu") && stands_still(atomic_load(&low->launches), 50));
  kill(urgent, SIGSTOP);
  uint64_t then = atomic_load(&low->launches);
  CHECK(eventually(&low->launches, then + 5, 10000));
  kill(urgent, SIGCONT);
  then = atomic_load(&high->launches);
  CHECK(eventually(&high->launches, then + 3, 10000));
  CHECK(stands_still(atomic_load(&low->launches), 100)); /* taken back: held again */
  stop(urgent);
  stop(other);
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

static bool waits_and_is_active(gw_page *page, pid_t pid) {
  struct gw_task_info infos[GW_ROWS];
  int n = gw_tasks(page, infos, GW_ROWS), held = 0;
  for (int i = 0; i < n; i++) {
    held += infos[i].pid == (uint32_t)pid && infos[i].waiters > 0 && infos[i].active;
  }
  return held == 1;
}

static void a_held_operator_keeps_its_task_active(void) {
  setenv("GIVEWAY_LINGER_MS", "5", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  gw_page *page = open_page();
  gw_task *high = join(page, 10);
  gw_begin(high);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    gw_task *task = join(open_page(), 0);
    for (;;) { /* held for as long as the test lives, unless that is late */
      gw_operator(task);
    }
  }
  CHECK(somebody_waits("cpu"));
  sleep_ms(300);
  CHECK(until(waits_and_is_active(page, pid), 10000));
  stop(pid);
}

static void on_timer(int signal) { (void)signal; }

/* A profiler's signal ends every sleep early; the check of who holds it is made all the same. */
static void a_timer_does_not_keep_a_held_task_from_its_checks(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  struct progress *low = shared_memory(sizeof *low), *high = shared_memory(sizeof *high);
  pid_t urgent = spawn(10, high);
  CHECK(eventually(&high->launches, 3, 10000));
  signal(SIGALRM, on_timer);
  pid_t other = fork();
  CHECK(other >= 0);
  if (other == 0) {
    struct itimerval every = {{0, 3000}, {0, 3000}};
    setitimer(ITIMER_REAL, &every, NULL);
    gw_task *task = join(open_page(), 0);
    for (;;) {
      gw_begin(task);
      atomic_fetch_add(&low->launches, 1);
      usleep(1000);
      gw_end(task);
    }
  }
  CHECK(somebody_waits("cpu") && stands_still(atomic_load(&low->launches), 100));
  uint64_t then = atomic_load(&low->launches);
  stop(urgent);
  CHECK(eventually(&low->launches, then, 10000));
  stop(other);
}

static const struct test_case cases[] = {
    {"an active task closes those below", an_active_task_closes_those_below},
    {"equals do not hold each other", equals_do_not_hold_each_other},
    {"priority changes while running", priority_changes_while_running},
    {"leaving opens the gates", leaving_opens_the_gates},
    {"a task becomes idle by itself", a_task_becomes_idle_by_itself},
    {"a task that nobody waits for", a_task_that_nobody_waits_for_is_seldom_looked_at},
    {"an operator keeps its task active", an_operator_keeps_its_task_active_while_it_computes},
    {"an asynchronous launch ends", an_asynchronous_launch_ends_when_its_device_says_so},
    {"another process is held and woken", another_process_is_held_and_woken},
    {"max_wait of zero waits for ever", max_wait_of_zero_waits_for_ever},
    {"a stopped holder does not hold", a_stopped_holder_does_not_hold},
    {"the 257th task is refused", the_257th_task_is_refused_and_a_freed_row_is_reused},
    {"a thread has its own task", a_thread_has_its_own_task_and_they_nest},
    {"a long name is cut at a character", a_long_name_is_cut_at_a_character},
    {"a held operator keeps its task active", a_held_operator_keeps_its_task_active},
    {"a timer does not keep a task from its checks",
     a_timer_does_not_keep_a_held_task_from_its_checks},
};

RUN_CASES(cases, 60)
