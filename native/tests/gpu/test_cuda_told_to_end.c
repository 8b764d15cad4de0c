/* A program that is told to end while its allocation waits for the memory of others. */
#include "parking.h"

static pthread_t interrupted;
static _Atomic bool signal_is_due;

/* The library calls this. A signal may come at any moment, and so in this one, too. Behind the
 * signals that there are, the C library leaves in the set what was there before. */
int __sigaction(int number, const struct sigaction *new, struct sigaction *old); /* the C library */
__attribute__((visibility("default"))) int sigaction(int number, const struct sigaction *new,
                                                     struct sigaction *old) {
  static _Atomic unsigned calls;
  if (signal_is_due && pthread_equal(pthread_self(), interrupted)) {
    signal_is_due = false;
    CHECK(pthread_kill(interrupted, SIGUSR1) == 0);
  }
  int result = __sigaction(number, new, old);
  if (old != NULL) {
    memset((char *)&old->sa_mask + 8, (int)++calls, sizeof old->sa_mask - 8);
  }
  return result;
}

static void *tell_to_end(void *unused) {
  CHECK(until((moving->park_request & 1) == 1, 60000));
  CHECK(kill(getpid(), SIGTERM) == 0);
  return unused;
}

static _Atomic bool told;
static void note_signal(int unused) {
  (void)unused;
  told = true;
}

/* The program's handler sets a flag, which the program sees when its allocation returns. Memory
 * that moves is waited for so long that this test would fail. */
static void a_program_that_is_told_to_end_waits_for_nobody(void) {
  setenv("GIVEWAY_GRACE_MS", "600000", 1);
  CHECK(signal(SIGTERM, note_signal) != SIG_ERR);
  gw_task *task = rival();
  pid_t pid = start_moving(GW_PARK_SAVES);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, tell_to_end, NULL) == 0);
  struct gw_room_search search = {{0}, 0};
  CHECK(gw_make_room(task, &search) == 0 && (moving->park_request & 1) == 0);
  gw_make_room_end(task, &search);
  CHECK(pthread_join(thread, NULL) == 0 && told);
  search = (struct gw_room_search){{0}, 0}; /* and nobody is asked any more */
  uint32_t request = moving->park_request;
  CHECK(gw_make_room(task, &search) == 0 && moving->park_request == request);
  CHECK(kill(pid, SIGKILL) == 0);
}

static void fork_in_handler(int unused) {
  (void)unused;
  pid_t pid = fork();
  if (pid == 0) {
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  told = true;
}

/* A process cannot fork while its library is busy with itself. */
static void a_handler_forks_during_an_allocation(void) {
  interrupted = pthread_self();
  CHECK(signal(SIGUSR1, fork_in_handler) != SIG_ERR);
  gw_task *task = rival();
  struct gw_room_search search = {{0}, 0};
  signal_is_due = true;
  CHECK(gw_make_room(task, &search) == 0 && told && !signal_is_due);
}

static const struct test_case cases[] = {
    {"a program that is told to end waits for nobody",
     a_program_that_is_told_to_end_waits_for_nobody},
    {"a handler forks during an allocation", a_handler_forks_during_an_allocation},
};
RUN_CASES(cases, 120)
