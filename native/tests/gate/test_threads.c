/* Many threads of one process on one page: the test that ThreadSanitizer watches. */
#include "harness.h"

#include <pthread.h>

#define THREADS 6
#define ROUNDS 3000

static _Atomic bool finished;

static void *launch(void *argument) {
  gw_task *task = argument != NULL ? argument : gw_current("cpu");
  for (int i = 0; i < ROUNDS; i++) {
    gw_begin(task);
    gw_end(task);
    if (i % 7 == 0) {
      gw_idle(task);
    }
    if (i % 5 == 0) {
      gw_operator(task);
    }
  }
  return NULL;
}

static void *enter_and_launch(void *argument) {
  int priority = (int)(intptr_t)argument;
  for (int i = 0; i < ROUNDS / 20; i++) {
    gw_own *own;
    CHECK(gw_enter("cpu", "thread", priority, &own) == GW_OK);
    gw_task *task = gw_peek();
    gw_begin(task);
    gw_end(task);
    gw_exit(own);
  }
  return NULL;
}

static void *observe(void *argument) {
  gw_page *page = argument;
  struct gw_task_info infos[GW_ROWS];
  for (int i = 0; !atomic_load(&finished); i++) {
    int n = gw_tasks(page, infos, GW_ROWS);
    for (int k = 0; k < n; k++) {
      int r = gw_set_priority(page, infos[k].ticket, (i + k) % 10);
      CHECK(r == GW_OK || r == GW_E_NO_TASK || r == GW_E_LOCK);
    }
  }
  return NULL;
}

static void many_threads(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "20", 1);
  setenv("GIVEWAY_LINGER_MS", "1", 1);
  gw_page *page = open_page();
  pthread_t threads[3 * THREADS], observer;
  CHECK(pthread_create(&observer, NULL, observe, page) == 0);
  for (intptr_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[3 * i], NULL, launch, NULL) == 0);
    CHECK(pthread_create(&threads[3 * i + 1], NULL, launch, join(page, (int)i)) == 0);
    CHECK(pthread_create(&threads[3 * i + 2], NULL, enter_and_launch, (void *)i) == 0);
  }
  for (int i = 0; i < 3 * THREADS; i++) {
    pthread_join(threads[i], NULL);
  }
  atomic_store(&finished, true);
  pthread_join(observer, NULL);
  struct gw_task_info infos[GW_ROWS];
  int n = gw_tasks(page, infos, GW_ROWS);
  CHECK(n == THREADS + 1);
  uint64_t launches = 0;
  for (int i = 0; i < n; i++) {
    launches += infos[i].launches;
  }
  CHECK(launches == 2 * THREADS * (ROUNDS + ROUNDS / 5)); /* none lost */
}

/* A stopped process holds the page's lock: tasks that leave meanwhile do so later. */
static void a_row_is_given_back_when_the_lock_is(void) {
  gw_page *page = open_page();
  gw_task *stays = join(page, 1), *leaves = join(page, 2);
  gw_begin(leaves);
  struct gw_page_layout *raw = raw_page();
  pid_t pid = fork();
  if (pid == 0) {
    pthread_mutex_lock(&raw->header.lock);
    raise(SIGSTOP);
    pthread_mutex_unlock(&raw->header.lock);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
  gw_leave(leaves);
  struct gw_task_info infos[GW_ROWS];
  kill(pid, SIGCONT);
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(until(gw_tasks(page, infos, GW_ROWS) == 1, 60000));
  CHECK(infos[0].priority == info_of(stays).priority && infos[0].priority == 1);
}

static const struct test_case cases[] = {
    {"many threads", many_threads},
    {"a row is given back when the lock is", a_row_is_given_back_when_the_lock_is},
};

RUN_CASES(cases, 240)
