/* Copies: a thread makes each copy as soon as all signals that the copy waits for are 0. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "stand_in.h"

#define ENGINES 3

struct copy {
  hsa_pitched_ptr_t to, from;
  hsa_dim3_t range; /* bytes, rows, slices */
  uint32_t signals;
  hsa_signal_t completion;
  struct copy *next;
  hsa_signal_t wait_for[];
};

static struct copy *copies;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t started = PTHREAD_ONCE_INIT;

hsa_status_t hsa_memory_copy(void *to, const void *from, size_t size) {
  memmove(to, from, size);
  return OK;
}

static void make(const struct copy *copy) {
  for (uint32_t z = 0; z < copy->range.z; z++) {
    for (uint32_t y = 0; y < copy->range.y; y++) {
      memmove((char *)copy->to.base + z * copy->to.slice + y * copy->to.pitch,
              (char *)copy->from.base + z * copy->from.slice + y * copy->from.pitch, copy->range.x);
    }
  }
}

static bool ready(const struct copy *copy) {
  for (uint32_t i = 0; i < copy->signals; i++) {
    if (!signal_is(copy->wait_for[i], HSA_SIGNAL_CONDITION_EQ, 0)) {
      return false;
    }
  }
  return true;
}

static struct copy *take_ready(void) {
  pthread_mutex_lock(&lock);
  struct copy **link = &copies;
  while (*link != NULL && !ready(*link)) {
    link = &(*link)->next;
  }
  struct copy *found = *link;
  if (found != NULL) {
    *link = found->next;
  }
  pthread_mutex_unlock(&lock);
  return found;
}

static void *run(void *unused) {
  (void)unused;
  for (;;) {
    uint32_t seen = signals_seen();
    struct copy *copy = take_ready();
    if (copy == NULL) {
      signals_wait(seen, UINT64_MAX);
      continue;
    }
    uint64_t began = fake_now();
    make(copy);
    signal_done(copy->completion, began, fake_now());
    free(copy);
  }
  return NULL;
}

static void start(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, run, NULL);
  pthread_detach(thread);
}

static hsa_status_t submit(struct copy what, uint32_t signals, const hsa_signal_t *wait_for) {
  struct copy *new = malloc(sizeof *new + signals * sizeof *wait_for);
  if (new == NULL) {
    return NO_MEMORY;
  }
  *new = what;
  new->signals = 0;
  for (uint32_t i = 0; i < signals; i++) {
    if (wait_for[i].handle != 0) {
      new->wait_for[new->signals++] = wait_for[i];
    }
  }
  pthread_once(&started, start);
  pthread_mutex_lock(&lock);
  struct copy **link = &copies;
  while (*link != NULL) {
    link = &(*link)->next;
  }
  *link = new;
  pthread_mutex_unlock(&lock);
  signals_changed();
  return OK;
}

hsa_status_t hsa_amd_memory_async_copy(void *to, hsa_agent_t to_agent, const void *from,
                                       hsa_agent_t from_agent, size_t size, uint32_t signals,
                                       const hsa_signal_t *wait_for, hsa_signal_t completion) {
  (void)to_agent, (void)from_agent;
  size_t row = UINT64_C(1) << 30; /* a dimension has 32 bits */
  struct copy whole = {
      .to = {to, row, 0},
      .from = {(void *)(uintptr_t)from, row, 0},
      .range = {(uint32_t)row, (uint32_t)(size / row), 1},
  };
  struct copy rest = {
      .to = {(char *)to + size / row * row, 0, 0},
      .from = {(char *)(uintptr_t)from + size / row * row, 0, 0},
      .range = {(uint32_t)(size % row), 1, 1},
      .completion = completion,
  };
  hsa_status_t status = size >= row ? submit(whole, signals, wait_for) : OK;
  return status == OK ? submit(rest, signals, wait_for) : status;
}

hsa_status_t hsa_amd_memory_async_copy_on_engine(void *to, hsa_agent_t to_agent, const void *from,
                                                 hsa_agent_t from_agent, size_t size,
                                                 uint32_t signals, const hsa_signal_t *wait_for,
                                                 hsa_signal_t completion,
                                                 hsa_amd_sdma_engine_id_t engine, bool force) {
  (void)engine, (void)force;
  return hsa_amd_memory_async_copy(to, to_agent, from, from_agent, size, signals, wait_for,
                                   completion);
}

static hsa_pitched_ptr_t moved(const hsa_pitched_ptr_t *pointer, const hsa_dim3_t *by) {
  hsa_pitched_ptr_t to = *pointer;
  to.base = (char *)to.base + by->z * to.slice + by->y * to.pitch + by->x;
  return to;
}

hsa_status_t hsa_amd_memory_async_copy_rect(const hsa_pitched_ptr_t *to,
                                            const hsa_dim3_t *to_offset,
                                            const hsa_pitched_ptr_t *from,
                                            const hsa_dim3_t *from_offset, const hsa_dim3_t *range,
                                            hsa_agent_t agent, hsa_amd_copy_direction_t direction,
                                            uint32_t signals, const hsa_signal_t *wait_for,
                                            hsa_signal_t completion) {
  (void)agent, (void)direction;
  struct copy copy = {
      .to = moved(to, to_offset),
      .from = moved(from, from_offset),
      .range = *range,
      .completion = completion,
  };
  return submit(copy, signals, wait_for);
}

hsa_status_t hsa_amd_memory_copy_engine_status(hsa_agent_t to, hsa_agent_t from, uint32_t *mask) {
  (void)to, (void)from;
  *mask = ENGINES;
  return OK;
}

hsa_status_t hsa_amd_memory_get_preferred_copy_engine(hsa_agent_t to, hsa_agent_t from,
                                                      uint32_t *mask) {
  return hsa_amd_memory_copy_engine_status(to, from, mask);
}
