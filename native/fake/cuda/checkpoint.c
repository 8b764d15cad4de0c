/* The checkpoint of the calling process, as the driver does it: a lock lets the calls of other
 * threads wait once all submitted work has ended; a checkpoint then takes the memory away. Calls
 * that synchronise do not wait for the lock, and crash in a process without its memory. Errors on
 * demand: GIVEWAY_FAKE_ERRORS. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "../engine/fake.h"

enum { OPERATING_SYSTEM = 304, ILLEGAL_STATE = 401 };
enum state { RUNNING = 0, LOCKED = 1, CHECKPOINTED = 2 };

static _Atomic enum state state;
static uint64_t memory[DEVICES]; /* of a process that is checkpointed */

struct lock_arguments {
  unsigned timeout_ms;
  unsigned reserved[15];
};

/* The driver copies the memory as any copy. */
static void move(size_t size) {
  uint64_t ns = copy_ns(size);
  nanosleep(&(struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)}, NULL);
}

static int check(int pid, enum state wanted) {
  return pid != getpid() ? OPERATING_SYSTEM : state == wanted ? SUCCESS : ILLEGAL_STATE;
}

FAKE int cuCheckpointProcessGetState(int pid, int *is) {
  CALL(cuCheckpointProcessGetState)
  *is = (int)state;
  return check(pid, state);
}

FAKE int cuCheckpointProcessLock(int pid, const struct lock_arguments *arguments) {
  CALL(cuCheckpointProcessLock)
  if (check(pid, RUNNING) != SUCCESS) {
    return check(pid, RUNNING);
  }
  uint64_t ms = arguments != NULL ? arguments->timeout_ms : 0;
  uint64_t end = ms != 0 ? fake_now() + ms * 1000000 : UINT64_MAX;
  calls_lock(false);
  while (engine_works()) {
    if (fake_now() > end) {
      calls_unlock();
      return NOT_READY;
    }
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  }
  state = LOCKED;
  return SUCCESS;
}

FAKE int cuCheckpointProcessCheckpoint(int pid, const void *arguments) {
  CALL(cuCheckpointProcessCheckpoint)(void) arguments;
  int result = check(pid, LOCKED);
  for (int i = 0; result == SUCCESS && i < DEVICES; i++) {
    memory[i] = fake_contexts[i].alive ? share_memory_used(i) : 0;
    if (memory[i] != 0) {
      move(memory[i]);
      share_memory_reset(i);
    }
  }
  if (result == SUCCESS) {
    calls_lock(true);
    state = CHECKPOINTED;
  }
  return result;
}

FAKE int cuCheckpointProcessRestore(int pid, const void *arguments) {
  CALL(cuCheckpointProcessRestore)(void) arguments;
  int result = check(pid, CHECKPOINTED);
  for (int i = 0; result == SUCCESS && i < DEVICES; i++) {
    if (memory[i] != 0 && !share_memory_take(i, memory[i])) {
      return OUT_OF_MEMORY; /* the real driver never restores this process after that */
    }
    move(memory[i]);
    memory[i] = 0;
  }
  if (result == SUCCESS) {
    calls_lock(false);
    state = LOCKED;
  }
  return result;
}

FAKE int cuCheckpointProcessUnlock(int pid, const void *arguments) {
  CALL(cuCheckpointProcessUnlock)(void) arguments;
  int result = check(pid, LOCKED);
  if (result == SUCCESS) {
    state = RUNNING;
    calls_unlock();
  }
  return result;
}
