/* A handler for SIGTERM or Ctrl-C often only sets a flag, and the program sees the flag after the
 * launch that runs, which may be held. So a signal that asks the program to end opens the gates of
 * its tasks for a grace period (docs/decisions/0025-grace.md).
 *
 * The kernel does not report that a handler has run. So the watcher puts a relay before each such
 * handler of the program: the relay notes the time, wakes the watcher, and calls the handler. Where
 * the program has no handler, the default action ends even a held process at once.
 */
#include "grace.h"

#include <signal.h>
#include <string.h>

#include "clock.h"
#include "lock.h"
#include "rule.h"
#include "settings.h"
#include "wake.h"

static const int asks_to_end[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
#define SIGNALS ((int)(sizeof asks_to_end / sizeof asks_to_end[0]))

/* A program may keep a relay as the previous handler, install another one, and call the relay from
 * there. So a relay keeps its handler for good, and a further handler gets a relay of its own. */
#define RELAYS 4
static struct sigaction handlers[SIGNALS][RELAYS];
static int used[SIGNALS]; /* under gw_process.lock */

static _Atomic uint64_t asked_ns; /* when the last such signal came; 0: never */

static void relay(int number, int signal, siginfo_t *info, void *context) {
  int at = 0;
  while (at < SIGNALS - 1 && asks_to_end[at] != signal) {
    at++;
  }
  const struct sigaction *handler = &handlers[at][number];
  atomic_store(&asked_ns, gw_now());
  gw_wake_watcher();
  if ((handler->sa_flags & SA_SIGINFO) != 0) {
    handler->sa_sigaction(signal, info, context);
  } else {
    handler->sa_handler(signal);
  }
}

#define RELAY(number)                                                                              \
  static void relay##number(int signal, siginfo_t *info, void *context) {                          \
    relay(number, signal, info, context);                                                          \
  }
RELAY(0)
RELAY(1)
RELAY(2)
RELAY(3)
static void (*const relays[RELAYS])(int, siginfo_t *, void *) = {relay0, relay1, relay2, relay3};

static bool is_relay(const struct sigaction *action) {
  for (int i = 0; i < RELAYS; i++) {
    if ((action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == relays[i]) {
      return true;
    }
  }
  return false;
}

/* The C library reserves more room for a set than the kernel has signals, and leaves in it what was
 * there before. */
#define SET_BYTES ((_NSIG - 1) / 8)

static bool same(const struct sigaction *a, const struct sigaction *b) {
  return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags &&
         memcmp(&a->sa_mask, &b->sa_mask, SET_BYTES) == 0;
}

/* The relay for this handler; negative: the program has installed more handlers than there are
 * relays, and this one is called as without giveway. */
static int relay_for(int at, const struct sigaction *handler) {
  for (int i = 0; i < used[at]; i++) {
    if (same(&handlers[at][i], handler)) {
      return i;
    }
  }
  if (used[at] == RELAYS) {
    return -1;
  }
  handlers[at][used[at]] = *handler;
  atomic_thread_fence(memory_order_release);
  return used[at]++;
}

static void watch_signal(int at) {
  struct sigaction own, before;
  if (sigaction(asks_to_end[at], NULL, &own) != 0 || own.sa_handler == SIG_DFL ||
      own.sa_handler == SIG_IGN || is_relay(&own)) {
    return;
  }
  int number = relay_for(at, &own);
  if (number < 0) {
    return;
  }
  struct sigaction with_relay = own;
  with_relay.sa_sigaction = relays[number];
  with_relay.sa_flags |= SA_SIGINFO;
  sigaction(asks_to_end[at], &with_relay, &before);
  if (!same(&before, &own)) { /* the program has just changed it: the next look tries again */
    sigaction(asks_to_end[at], &before, NULL);
  }
}

void gw_grace_watch(void) {
  for (int at = 0; at < SIGNALS && gw_settings()->grace_ns != 0; at++) {
    watch_signal(at);
  }
}

/* When the grace period ends; 0: there is none. */
static uint64_t end_of_grace(uint64_t now) {
  uint64_t asked = atomic_load(&asked_ns), end = asked + gw_settings()->grace_ns;
  return asked != 0 && now < end ? end : 0;
}

bool gw_grace_is_on(void) { return end_of_grace(gw_now()) != 0; }

void gw_grace_update(struct gw_task *task, uint64_t now) {
  uint64_t wanted = end_of_grace(now);
  if (GW_READ(gw_row_of(task)->grace_end_ns) == wanted || gw_page_lock(task->page) != GW_OK) {
    return;
  }
  if (!gw_task_lost(task)) {
    GW_WRITE(gw_row_of(task)->grace_end_ns, wanted);
    gw_gates_update(task->page, now);
  }
  gw_page_unlock(task->page);
}

/* The child of a program that was told to end was not told. */
static void forget(void) { atomic_store(&asked_ns, 0); }

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
