/* Signals, and waits for them. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stand_in.h"

#define LONGEST_NS UINT64_C(1000000000)

static _Atomic uint32_t changes, waiting;

uint32_t signals_seen(void) { return atomic_load(&changes); }

void signals_wait(uint32_t seen, uint64_t ns) {
  ns = ns < LONGEST_NS ? ns : LONGEST_NS;
  struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  atomic_fetch_add(&waiting, 1);
  syscall(SYS_futex, &changes, FUTEX_WAIT_PRIVATE, seen, &t, NULL, 0);
  atomic_fetch_sub(&waiting, 1);
}

void signals_changed(void) {
  atomic_fetch_add(&changes, 1);
  if (atomic_load(&waiting) != 0) {
    syscall(SYS_futex, &changes, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
  }
}

static amd_signal_t *at(hsa_signal_t signal) { return (amd_signal_t *)signal.handle; }

static _Atomic int64_t *value_of(hsa_signal_t signal) {
  return (_Atomic int64_t *)(uintptr_t)&at(signal)->value;
}

bool signal_is(hsa_signal_t signal, hsa_signal_condition_t condition, hsa_signal_value_t value) {
  int64_t now = atomic_load(value_of(signal));
  switch (condition) {
  case HSA_SIGNAL_CONDITION_EQ:
    return now == value;
  case HSA_SIGNAL_CONDITION_NE:
    return now != value;
  case HSA_SIGNAL_CONDITION_LT:
    return now < value;
  default:
    return now >= value;
  }
}

void signal_done(hsa_signal_t signal, uint64_t start_ns, uint64_t end_ns) {
  if (signal.handle != 0) {
    at(signal)->start_ts = start_ns;
    at(signal)->end_ts = end_ns;
    hsa_signal_subtract_relaxed(signal, 1);
  }
}

hsa_status_t hsa_signal_create(hsa_signal_value_t value, uint32_t count, const hsa_agent_t *agents,
                               hsa_signal_t *signal) {
  (void)count, (void)agents;
  amd_signal_t *new = aligned_alloc(_Alignof(amd_signal_t), sizeof *new);
  if (new == NULL) {
    return NO_MEMORY;
  }
  *new = (amd_signal_t){.kind = AMD_SIGNAL_KIND_USER, .value = value};
  signal->handle = (uintptr_t)new;
  return OK;
}

hsa_status_t hsa_amd_signal_create(hsa_signal_value_t value, uint32_t count,
                                   const hsa_agent_t *agents, uint64_t attributes,
                                   hsa_signal_t *signal) {
  (void)attributes;
  return hsa_signal_create(value, count, agents, signal);
}

hsa_signal_value_t hsa_signal_load_relaxed(hsa_signal_t signal) {
  return atomic_load(value_of(signal));
}

void hsa_signal_silent_store_relaxed(hsa_signal_t signal, hsa_signal_value_t value) {
  atomic_store(value_of(signal), value);
}

void hsa_signal_store_relaxed(hsa_signal_t signal, hsa_signal_value_t value) {
  atomic_store(value_of(signal), value);
  signals_changed();
}

void hsa_signal_store_screlease(hsa_signal_t signal, hsa_signal_value_t value) {
  hsa_signal_store_relaxed(signal, value);
}

void hsa_signal_add_relaxed(hsa_signal_t signal, hsa_signal_value_t value) {
  atomic_fetch_add(value_of(signal), value);
  signals_changed();
}

void hsa_signal_subtract_relaxed(hsa_signal_t signal, hsa_signal_value_t value) {
  hsa_signal_add_relaxed(signal, -value);
}

hsa_signal_value_t hsa_signal_wait_scacquire(hsa_signal_t signal, hsa_signal_condition_t condition,
                                             hsa_signal_value_t value, uint64_t timeout_ns,
                                             hsa_wait_state_t state) {
  (void)state;
  uint64_t began = fake_now();
  for (;;) {
    uint32_t seen = signals_seen();
    uint64_t waited = fake_now() - began;
    if (signal_is(signal, condition, value) || waited >= timeout_ns) {
      return atomic_load(value_of(signal));
    }
    signals_wait(seen, timeout_ns - waited);
  }
}

hsa_status_t hsa_amd_signal_value_pointer(hsa_signal_t signal,
                                          volatile hsa_signal_value_t **pointer) {
  *pointer = &at(signal)->value;
  return OK;
}

hsa_status_t hsa_amd_profiling_get_dispatch_time(hsa_agent_t agent, hsa_signal_t signal,
                                                 hsa_amd_profiling_dispatch_time_t *time) {
  (void)agent;
  *time = (hsa_amd_profiling_dispatch_time_t){at(signal)->start_ts, at(signal)->end_ts};
  return OK;
}

hsa_status_t hsa_amd_profiling_get_async_copy_time(hsa_signal_t signal,
                                                   hsa_amd_profiling_async_copy_time_t *time) {
  *time = (hsa_amd_profiling_async_copy_time_t){at(signal)->start_ts, at(signal)->end_ts};
  return OK;
}

/* ---- handlers, which run in a thread of their own ------------------------------------------- */

struct handler {
  hsa_signal_t signal;
  hsa_signal_condition_t condition;
  hsa_signal_value_t value;
  hsa_amd_signal_handler run;
  void *argument;
  struct handler *next;
};

static struct handler *handlers;
static pthread_mutex_t handlers_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t handlers_started = PTHREAD_ONCE_INIT;

static struct handler *take_ready(void) {
  pthread_mutex_lock(&handlers_lock);
  struct handler **link = &handlers;
  while (*link != NULL && !signal_is((*link)->signal, (*link)->condition, (*link)->value)) {
    link = &(*link)->next;
  }
  struct handler *ready = *link;
  if (ready != NULL) {
    *link = ready->next;
  }
  pthread_mutex_unlock(&handlers_lock);
  return ready;
}

static void add_handler(struct handler *handler) {
  pthread_mutex_lock(&handlers_lock);
  struct handler **link = &handlers;
  while (*link != NULL) {
    link = &(*link)->next;
  }
  handler->next = NULL;
  *link = handler;
  pthread_mutex_unlock(&handlers_lock);
  signals_changed();
}

static void *run_handlers(void *unused) {
  (void)unused;
  for (;;) {
    uint32_t seen = signals_seen();
    struct handler *ready = take_ready();
    if (ready == NULL) {
      signals_wait(seen, LONGEST_NS);
    } else if (ready->run(hsa_signal_load_relaxed(ready->signal), ready->argument)) {
      add_handler(ready);
    } else {
      free(ready);
    }
  }
  return NULL;
}

static void start_handlers(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, run_handlers, NULL);
  pthread_detach(thread);
}

hsa_status_t hsa_amd_signal_async_handler(hsa_signal_t signal, hsa_signal_condition_t condition,
                                          hsa_signal_value_t value, hsa_amd_signal_handler run,
                                          void *argument) {
  struct handler *new = malloc(sizeof *new);
  if (new == NULL) {
    return NO_MEMORY;
  }
  *new = (struct handler){signal, condition, value, run, argument, NULL};
  pthread_once(&handlers_started, start_handlers);
  add_handler(new);
  return OK;
}

hsa_status_t hsa_signal_destroy(hsa_signal_t signal) {
  pthread_mutex_lock(&handlers_lock);
  for (struct handler **link = &handlers; *link != NULL;) {
    struct handler *handler = *link;
    if (handler->signal.handle == signal.handle) {
      *link = handler->next;
      free(handler);
    } else {
      link = &handler->next;
    }
  }
  pthread_mutex_unlock(&handlers_lock);
  free(at(signal));
  return OK;
}
