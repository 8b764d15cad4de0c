#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t unblocked = PTHREAD_COND_INITIALIZER;
static struct call *calls;
static const char *to_block; /* the function whose next call blocks; NULL: none */
static bool blocked;
static const char *during; /* the function whose calls begin with run_during */
static void (*run_during)(void);

static bool locked, memory_gone; /* the process is locked, and checkpointed */

static void add(struct call *call) {
  size_t n = strlen(call->name);
  const char *list = getenv("GIVEWAY_FAKE_ERRORS");
  for (const char *at = list; at != NULL && *at != '\0'; at = strchr(at, ',')) {
    at += *at == ',';
    if (strncmp(at, call->name, n) == 0 && at[n] == '=') {
      call->error = atoi(at + n + 1);
    }
  }
  call->next = calls;
  calls = call;
}

static bool is(const char *name, const struct call *call) {
  return name != NULL && strcmp(name, call->name) == 0;
}

static void block(void) {
  to_block = NULL;
  blocked = true;
  while (blocked) {
    pthread_cond_wait(&unblocked, &lock);
  }
}

static bool begins(const char *name, const char *with) {
  return strncmp(name, with, strlen(with)) == 0;
}

/* A locked process: calls that synchronise do not wait. That crashes the real driver where the
 * memory has gone. */
static void wait_for_lock(const struct call *call) {
  bool synchronises =
      begins(call->name, "cuStreamSynchronize") || begins(call->name, "cuCtxSynchronize");
  if (begins(call->name, "cuCheckpoint") || begins(call->name, "cuDriverGetVersion")) {
    return;
  }
  if (synchronises && memory_gone) {
    fprintf(stderr, "%s in a process that is checkpointed\n", call->name);
    abort();
  }
  while (locked && !synchronises) {
    pthread_cond_wait(&unblocked, &lock);
  }
}

int call_slowly(struct call *call) {
  pthread_mutex_lock(&lock);
  if (call->state == CALL_NEW) {
    add(call);
  }
  void (*run)(void) = is(during, call) ? run_during : NULL;
  wait_for_lock(call);
  call->state = run != NULL || locked ? CALL_SLOW : CALL_KNOWN;
  if (is(to_block, call)) {
    block();
  }
  pthread_mutex_unlock(&lock);
  if (run != NULL) {
    run();
  }
  return call->error;
}

static void slow_down(const char *name) {
  for (struct call *call = calls; call != NULL; call = call->next) {
    call->state = is(name, call) ? CALL_SLOW : call->state;
  }
}

void calls_lock(bool gone) {
  pthread_mutex_lock(&lock);
  locked = true;
  memory_gone = gone;
  for (struct call *call = calls; call != NULL; call = call->next) {
    call->state = CALL_SLOW;
  }
  pthread_mutex_unlock(&lock);
}

void calls_unlock(void) {
  pthread_mutex_lock(&lock);
  locked = memory_gone = false;
  pthread_cond_broadcast(&unblocked);
  pthread_mutex_unlock(&lock);
}

void fake_during(const char *name, void (*run)(void)) {
  pthread_mutex_lock(&lock);
  during = name;
  run_during = run;
  slow_down(name);
  pthread_mutex_unlock(&lock);
}

void fake_block(const char *name) {
  pthread_mutex_lock(&lock);
  to_block = name;
  slow_down(name);
  pthread_mutex_unlock(&lock);
}

bool fake_blocked(void) {
  pthread_mutex_lock(&lock);
  bool now = blocked;
  pthread_mutex_unlock(&lock);
  return now;
}

void fake_unblock(void) {
  pthread_mutex_lock(&lock);
  blocked = false;
  pthread_cond_broadcast(&unblocked);
  pthread_mutex_unlock(&lock);
}

/* For tests: the number of calls of a function of this library. */
uint64_t fake_calls(const char *name) {
  uint64_t count = 0;
  pthread_mutex_lock(&lock);
  for (struct call *call = calls; call != NULL; call = call->next) {
    if (strcmp(call->name, name) == 0) {
      count = call->count;
    }
  }
  pthread_mutex_unlock(&lock);
  return count;
}
