/* A region of a convolution may run for ten milliseconds after the gate has closed, on the cores
 * that the urgent program needs. So each thread registers its id here while it is inside an
 * admitted region. When the gate closes, the watcher sends SIGURG to the registered threads, and
 * the signal handler sleeps until the gate is open. SIGURG is ignored by default, debuggers pass it
 * on in silence, and the Go runtime has preempted its threads with SIGURG for years.
 *
 * A program that handles SIGURG itself, or sets GIVEWAY_INTERRUPT=0, is not interrupted.
 */
#include "interrupt.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "region.h"

#define SLOTS 1024 /* threads inside regions at once; further threads are not interrupted */
#define PROBES 8

static _Atomic pid_t inside[SLOTS];
static bool enabled;
static _Thread_local pid_t thread_id;
_Thread_local volatile sig_atomic_t gw_computing;

static void on_signal(int signal) {
  (void)signal;
  if (gw_computing) {
    gw_pause();
  }
}

static bool handler_is_ours(void) {
  struct sigaction action;
  return sigaction(SIGURG, NULL, &action) == 0 && action.sa_handler == on_signal;
}

/* Runs on the watcher's thread when the gate has closed. */
static void stop_threads(void) {
  if (!handler_is_ours()) {
    return;
  }
  pid_t process = getpid();
  for (int i = 0; i < SLOTS; i++) {
    pid_t thread = atomic_load(&inside[i]); /* the order is in atomics.h */
    if (thread != 0) {
      syscall(SYS_tgkill, process, thread, SIGURG);
    }
  }
}

static void forget_thread(void) { thread_id = 0; }

static void forked_child(void) {
  forget_thread();
  for (int i = 0; i < SLOTS; i++) {
    atomic_store_explicit(&inside[i], 0, memory_order_relaxed);
  }
}

static void set_up(void) {
  const char *setting = getenv("GIVEWAY_INTERRUPT");
  struct sigaction before, action;
  if ((setting != NULL && strcmp(setting, "0") == 0) || sigaction(SIGURG, NULL, &before) != 0 ||
      (before.sa_flags & SA_SIGINFO) != 0 ||
      (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)) {
    return;
  }
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGURG, &action, NULL) == 0) {
    pthread_atfork(NULL, NULL, forked_child);
    enabled = true;
    gw_on_preempt(stop_threads);
  }
}

void gw_interrupt_setup(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, set_up);
}

static int enter(void) {
  if (thread_id == 0) {
    thread_id = (pid_t)syscall(SYS_gettid);
  }
  for (int probe = 0; probe < PROBES; probe++) {
    int slot = (int)((unsigned)thread_id + (unsigned)probe) % SLOTS;
    pid_t nobody = 0;
    if (atomic_compare_exchange_strong(&inside[slot], &nobody, thread_id)) {
      gw_computing = 1;
      gw_pause(); /* the gate may have closed before the thread was registered */
      return slot;
    }
  }
  return -1;
}

static void leave(int slot) {
  gw_computing = 0;
  if (slot >= 0) {
    atomic_store_explicit(&inside[slot], 0, memory_order_release);
  }
}

void gw_run_body(void *gw_body) {
  const struct gw_body *region = gw_body;
  if (!enabled) {
    region->body(region->data);
    return;
  }
  int slot = enter();
  if (gw_region_depth == 0 && sched_getcpu() == region->cpu) {
    gw_step_off(region->cpu);
  }
  region->body(region->data);
  leave(slot);
}
