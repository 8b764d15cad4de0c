#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct call *calls;
static const char *during;
static void (*run_during)(void);

/* State 0: not called yet; 1: known; 2: known, with something to run. */
int call_first(struct call *call) {
  pthread_mutex_lock(&lock);
  if (call->state == 0) {
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
    call->state = during != NULL && strcmp(during, call->name) == 0 ? 2 : 1;
  }
  void (*run)(void) = call->state == 2 ? run_during : NULL;
  pthread_mutex_unlock(&lock);
  if (run != NULL) {
    run();
  }
  return call->error;
}

void fake_during(const char *name, void (*run)(void)) {
  pthread_mutex_lock(&lock);
  during = name;
  run_during = run;
  for (struct call *call = calls; call != NULL; call = call->next) {
    call->state = strcmp(name, call->name) == 0 ? 2 : 1;
  }
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
