/* What the process that decides sleeps on: transitions on its pages, and one descriptor for all
 * that is less urgent. The pages' words wake the sleeper itself (futex_waitv, Linux 5.16): each
 * further thread on the way would be another wake-up for a program that waits. Where the kernel
 * cannot, a thread for each page rings a bell, as one does for the descriptor. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* on all architectures */
#endif
#define MOST_WORDS 128 /* of one futex_waitv */

struct word { /* struct futex_waitv of newer <linux/futex.h> */
  uint64_t value, address;
  uint32_t flags, reserved;
};
enum { WORD_U32 = 2, WORD_PRIVATE = 128 };

struct gw_sleeper {
  int fd;
  _Atomic uint32_t bell;
  _Atomic uint32_t readable; /* until the sleeper comes back: fd has been served by then */
  bool told;
  bool rings_only; /* no futex_waitv */
};

static int start_thread(void *(*run)(void *), void *argument) {
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS); /* as in watcher.c */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) {
    return gw_fail(GW_E_RESOURCES, error);
  }
  pthread_setname_np(thread, "giveway");
  pthread_detach(thread);
  return GW_OK;
}

static void ring(struct gw_sleeper *sleeper) {
  atomic_fetch_add(&sleeper->bell, 1);
  gw_futex_wake(&sleeper->bell, false);
}

static void *watch_descriptor(void *argument) {
  struct gw_sleeper *sleeper = argument;
  for (;;) {
    struct pollfd wait = {.fd = sleeper->fd, .events = POLLIN};
    if (poll(&wait, 1, -1) <= 0) {
      continue;
    }
    atomic_store(&sleeper->readable, 1);
    ring(sleeper);
    while (atomic_load(&sleeper->readable) != 0) {
      gw_futex_wait(&sleeper->readable, 1, UINT64_MAX, false);
    }
  }
  return NULL;
}

struct page_watch {
  _Atomic uint32_t *events;
  uint32_t seen;
  struct gw_sleeper *sleeper;
};

static void *watch_page(void *argument) {
  struct page_watch watch = *(struct page_watch *)argument;
  free(argument);
  for (;;) {
    gw_futex_wait(watch.events, watch.seen, UINT64_MAX, true);
    uint32_t now = atomic_load(watch.events);
    if (now != watch.seen) {
      ring(watch.sleeper);
    }
    watch.seen = now;
  }
  return NULL;
}

int gw_sleeper_new(int fd, struct gw_sleeper **out) {
  *out = NULL;
  struct gw_sleeper *sleeper = calloc(1, sizeof *sleeper);
  if (sleeper == NULL) {
    return gw_fail(GW_E_RESOURCES, ENOMEM);
  }
  sleeper->fd = fd;
  const char *without = getenv("GIVEWAY_FUTEX_WAITV"); /* for tests: what older kernels do */
  sleeper->rings_only = without != NULL && without[0] == '0';
  int r = start_thread(watch_descriptor, sleeper);
  if (r != GW_OK) {
    free(sleeper);
    return r;
  }
  *out = sleeper;
  return GW_OK;
}

/* Pages of which something is new since gw_changes, and the descriptor. */
static int look(struct gw_sleeper *sleeper, gw_page *const *pages, int count, uint8_t *ready) {
  int n = 0;
  for (int i = 0; i < count; i++) {
    ready[i] = atomic_load(&pages[i]->map->header.events) != pages[i]->events_seen;
    n += ready[i];
  }
  sleeper->told = atomic_load(&sleeper->readable) != 0;
  ready[count] = sleeper->told;
  return n + sleeper->told;
}

static int listen_to(struct gw_sleeper *sleeper, gw_page *const *pages, int count) {
  for (int i = 0; i < count; i++) {
    if (pages[i]->rings) {
      continue;
    }
    struct page_watch *watch = malloc(sizeof *watch);
    if (watch == NULL) {
      return gw_fail(GW_E_RESOURCES, ENOMEM);
    }
    *watch = (struct page_watch){&pages[i]->map->header.events, pages[i]->events_seen, sleeper};
    int r = start_thread(watch_page, watch);
    if (r != GW_OK) {
      free(watch);
      return r;
    }
    pages[i]->rings = true;
  }
  return GW_OK;
}

static void wait_for_words(struct gw_sleeper *sleeper, gw_page *const *pages, int count,
                           uint32_t bell, uint64_t timeout_ns) {
  struct word words[MOST_WORDS];
  for (int i = 0; i < count; i++) {
    words[i] = (struct word){.value = pages[i]->events_seen,
                             .address = (uintptr_t)&pages[i]->map->header.events,
                             .flags = WORD_U32};
  }
  words[count] = (struct word){
      .value = bell, .address = (uintptr_t)&sleeper->bell, .flags = WORD_U32 | WORD_PRIVATE};
  uint64_t until = gw_now() + timeout_ns;
  struct timespec t = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
  if (syscall(SYS_futex_waitv, words, count + 1, 0, &t, CLOCK_MONOTONIC) < 0 &&
      (errno == ENOSYS || errno == EPERM)) { /* an old kernel, or a container's seccomp */
    sleeper->rings_only = true;
  }
}

int gw_sleep(struct gw_sleeper *sleeper, gw_page *const *pages, int count, uint64_t timeout_ns,
             uint8_t *ready) {
  if (sleeper->told) {
    sleeper->told = false;
    atomic_store(&sleeper->readable, 0);
    gw_futex_wake(&sleeper->readable, false);
  }
  uint32_t bell = atomic_load(&sleeper->bell);
  int n = look(sleeper, pages, count, ready);
  if (n > 0 || timeout_ns == 0) {
    return n;
  }
  if (sleeper->rings_only || count >= MOST_WORDS) {
    int r = listen_to(sleeper, pages, count);
    if (r != GW_OK) {
      return r;
    }
    gw_futex_wait(&sleeper->bell, bell, timeout_ns, false);
  } else {
    wait_for_words(sleeper, pages, count, bell, timeout_ns);
  }
  return look(sleeper, pages, count, ready);
}
