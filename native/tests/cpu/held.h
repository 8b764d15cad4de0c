/* An urgent program that holds others when the test says so. */
#ifndef GIVEWAY_TEST_HELD_H
#define GIVEWAY_TEST_HELD_H

#include "harness.h"

/* What the processes of a test share. */
struct shared {
  _Atomic uint64_t steps; /* of the held program */
  _Atomic uint64_t go;    /* 1: the urgent program has work; 2: no more */
  _Atomic uint64_t ready;
};

static struct shared *shared;

/* It never computes, so it says nothing of its cores: it uses the whole device. */
__attribute__((unused)) static pid_t urgent_program(void) { return fork_urgent(&shared->go); }

/* The program runs this until it is killed or ends. */
__attribute__((unused)) static pid_t start_program(void (*run)(void)) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    run();
    _exit(0);
  }
  return pid;
}

/* The row of a program's task; it need not have work. */
__attribute__((unused)) static struct gw_row *row_of(pid_t pid) {
  static struct gw_page_layout *page;
  page = page != NULL ? page : (open_page(), raw_page());
  struct gw_row *found = NULL;
  for (unsigned i = 0; i < GW_ROWS; i++) {
    struct gw_row *row = &page->rows[i];
    if (atomic_load(&row->state) != GW_FREE && atomic_load(&row->pid) == (uint32_t)pid) {
      found = row;
    }
  }
  return found;
}

/* Whether the program comes to a stand: its gate is closed, and it does no step while its watcher
 * looks three times. */
__attribute__((unused)) static bool stands(struct gw_row *row) {
  uint64_t steps;
  do {
    if (!until(atomic_load(&row->gate) == GW_CLOSED, 60000)) {
      return false;
    }
    steps = atomic_load(&shared->steps);
    await_looks(row, 3);
  } while (atomic_load(&shared->steps) != steps);
  return true;
}

__attribute__((unused)) static bool goes_on(void) {
  return eventually(&shared->steps, atomic_load(&shared->steps), 60000);
}

__attribute__((unused)) static bool ends_well(pid_t pid) {
  int status;
  return until(waitpid(pid, &status, WNOHANG) == pid, 60000) && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

__attribute__((unused)) static void begin_held(void) {
  shared = shared_memory(sizeof *shared);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
}

#endif
