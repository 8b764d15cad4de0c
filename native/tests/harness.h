/* A C test: each case in a process of its own, with a page directory of its own and a time limit.
 */
#ifndef GIVEWAY_TEST_HARNESS_H
#define GIVEWAY_TEST_HARNESS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gate_page.h"
#include "giveway_hook.h"

#ifdef GIVEWAY_TEST_CLOCK
#include "clock.h"
#endif

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #condition);        \
      _exit(1);                                                                                    \
    }                                                                                              \
  } while (0)

#define MS UINT64_C(1000000) /* nanoseconds */

__attribute__((unused)) static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((unused)) static void sleep_ms(unsigned ms) {
  struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
  while (nanosleep(&t, &t) != 0 && errno == EINTR) {
  }
}

/* Memory that forked children share with the test. */
__attribute__((unused)) static void *shared_memory(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

/* GIVEWAY_TEST_SECONDS shortens every limit, for runs that expect tests to fail: a check with
 * deliberate breaks. */
__attribute__((unused)) static uint64_t limit_ms(uint64_t ms) {
  const char *text = getenv("GIVEWAY_TEST_SECONDS");
  uint64_t most = text != NULL ? strtoul(text, NULL, 10) * 1000 : UINT64_MAX;
  return ms < most ? ms : most;
}

/* Whether the condition comes true in time. A generous time costs nothing unless something is
 * broken, and a core of a virtual machine may stand still for a while. */
#define until(condition, ms)                                                                       \
  ({                                                                                               \
    uint64_t end_ns_ = now_ns() + limit_ms(ms) * MS;                                               \
    bool late_ = false, so_;                                                                       \
    while (!(so_ = (condition)) && !late_) {                                                       \
      usleep(200);                                                                                 \
      late_ = now_ns() > end_ns_;                                                                  \
    }                                                                                              \
    so_;                                                                                           \
  })

__attribute__((unused)) static bool eventually(_Atomic uint64_t *value, uint64_t above,
                                               unsigned ms) {
  return until(atomic_load(value) > above, ms);
}

__attribute__((unused)) static gw_page *open_page_of(const char *device) {
  gw_page *page;
  CHECK(gw_page_open(device, 1, &page) == GW_OK);
  return page;
}

__attribute__((unused)) static gw_page *open_page(void) { return open_page_of("cpu"); }

__attribute__((unused)) static gw_task *join(gw_page *page, int priority) {
  gw_task *task;
  struct gw_task_options options = {.name = "test", .priority = priority};
  CHECK(gw_join(page, &options, &task) == GW_OK);
#ifdef GIVEWAY_TEST_CLOCK
  clock_await_sleepers(1); /* its watcher */
#endif
  return task;
}

__attribute__((unused)) static struct gw_task_info info_of(gw_task *task) {
  struct gw_task_info info;
  CHECK(gw_task_describe(task, &info) == GW_OK);
  return info;
}

__attribute__((unused)) static unsigned waiters_of(const char *device) {
  gw_page *page;
  static struct gw_task_info infos[GW_ROWS];
  unsigned waiters = 0;
  int n = gw_page_open(device, 0, &page) == GW_OK ? gw_tasks(page, infos, GW_ROWS) : 0;
  for (int i = 0; i < n; i++) {
    waiters += infos[i].waiters;
  }
  return waiters;
}

/* Whether a launch comes to wait at a closed gate. While its thread checks the holders, the page
 * does not count it as a waiter. */
__attribute__((unused)) static bool somebody_waits(const char *device) {
  return until(waiters_of(device) > 0, 60000);
}

/* The page's file, mapped without the library. */
__attribute__((unused)) static struct gw_page_layout *raw_page_of(const char *device) {
  char path[4096];
  CHECK(gw_page_path(device, path, sizeof path) == GW_OK);
  int fd = open(path, O_RDWR);
  CHECK(fd >= 0);
  void *map = mmap(NULL, sizeof(struct gw_page_layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(map != MAP_FAILED);
  close(fd);
  return map;
}

__attribute__((unused)) static struct gw_page_layout *raw_page(void) { return raw_page_of("cpu"); }

/* A program of priority 10 that has work while *go is 1, and then idles until it is killed. */
__attribute__((unused)) static pid_t fork_urgent(_Atomic uint64_t *go) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    setenv("GIVEWAY_LINGER_MS", "100000", 1);
    gw_task *task = join(open_page(), 10);
    while (atomic_load(go) == 0) {
      usleep(100);
    }
    gw_begin(task);
    while (atomic_load(go) == 1) {
      usleep(100);
    }
    gw_end(task);
    gw_idle(task);
    for (;;) {
      pause();
    }
  }
  return pid;
}

/* Waits until the watcher of an active task has looked at the task so many times. */
__attribute__((unused)) static void await_looks(struct gw_row *row, int looks) {
  for (uint64_t last = atomic_load(&row->beat_ns); looks > 0; looks--) {
    CHECK(until(atomic_load(&row->beat_ns) != last, 60000));
    last = atomic_load(&row->beat_ns);
  }
}

struct test_case {
  const char *name;
  void (*run)(void);
};

static void remove_directory(const char *path) {
  DIR *directory = opendir(path);
  if (directory != NULL) {
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
      unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
  }
  rmdir(path);
}

static int run_case(const struct test_case *test, unsigned seconds) {
  char directory[] = "/tmp/giveway-test-XXXXXX";
  if (mkdtemp(directory) == NULL) {
    perror("mkdtemp");
    return 1;
  }
  setenv("GIVEWAY_DIR", directory, 1);
  setenv("GIVEWAY_FAKE_DIR", directory, 1); /* where the fake device is */
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    test->run();
    exit(0);
  }
  int status = 0;
  uint64_t end = now_ns() + limit_ms(seconds * 1000) * MS;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (now_ns() > end) {
      fprintf(stderr, "%s: does not end\n", test->name);
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      break;
    }
    usleep(1000);
  }
  kill(-pid, SIGKILL); /* processes that the case left behind */
  remove_directory(directory);
  bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (WIFSIGNALED(status)) {
    fprintf(stderr, "%s: signal %d\n", test->name, WTERMSIG(status));
  }
  printf("%-50s %s\n", test->name, passed ? "ok" : "FAILED");
  return passed ? 0 : 1;
}

#define RUN_CASES(cases, seconds)                                                                  \
  int main(void) {                                                                                 \
    int failed = 0;                                                                                \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++) {                                 \
      failed += run_case(&(cases)[i], seconds);                                                    \
    }                                                                                              \
    return failed != 0;                                                                            \
  }

/* Any function, called with more words than any function takes, all of them 0. */
__attribute__((unused)) static int call_with_zeros(void *function) {
  typedef uintptr_t word;
  return ((int (*)(word, word, word, word, word, word, word, word, word, word, word, word, word,
                   word))function)(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

#endif
