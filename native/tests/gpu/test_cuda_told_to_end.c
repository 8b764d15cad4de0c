/* A program that is told to end while its allocation waits for the memory of others. */
#include "parking.h"

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

static const struct test_case cases[] = {
    {"a program that is told to end waits for nobody",
     a_program_that_is_told_to_end_waits_for_nobody},
};
RUN_CASES(cases, 120)
