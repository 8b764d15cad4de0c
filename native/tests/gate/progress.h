/* A program that does nothing but launch, in a process of its own. */
#ifndef GIVEWAY_TEST_PROGRESS_H
#define GIVEWAY_TEST_PROGRESS_H

#include "harness.h"

__attribute__((unused)) static void keep_active(void) { setenv("GIVEWAY_LINGER_MS", "100000", 1); }

struct progress {
  _Atomic uint64_t launches;
  _Atomic uint64_t last_ns;
  _Atomic uint64_t overlaps; /* launches during which `beside` has finished one */
  struct progress *beside;
};

/* Forks a program that launches one millisecond of work after another. */
__attribute__((unused)) static pid_t spawn(int priority, struct progress *progress) {
#ifdef __SANITIZE_ADDRESS__
  sleep_ms(50); /* its allocator's lock stays taken in a child where a thread was just starting */
#endif
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    gw_task *task = join(open_page(), priority);
    for (;;) {
      gw_begin(task);
      struct progress *beside = progress->beside;
      uint64_t before = beside != NULL ? atomic_load(&beside->launches) : 0;
      for (uint64_t end = now_ns() + MS; now_ns() < end;) {
      }
      if (beside != NULL && atomic_load(&beside->launches) != before) {
        atomic_fetch_add(&progress->overlaps, 1);
      }
      gw_end(task);
      atomic_store(&progress->last_ns, now_ns());
      atomic_fetch_add(&progress->launches, 1);
    }
  }
  return pid;
}

__attribute__((unused)) static void stop(pid_t pid) {
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
}

#endif
