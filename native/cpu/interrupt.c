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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "narrow.h"
#include "region.h"
#include "use.h"
#include "whole.h"

#define SLOTS 1024 /* threads inside regions at once; further threads are not interrupted */
#define PROBES 8

static _Atomic pid_t inside[SLOTS];
static bool enabled;
static _Thread_local pid_t thread_id;
_Thread_local volatile sig_atomic_t gw_computing;
_Atomic bool gw_unstoppable_seen;

/* The handler does not block its own signal, so that a thread that blocks it is one that the
 * program made do so. A second signal may come when the first has just found the gate open. */
static void on_signal(int signal) {
  static _Thread_local volatile sig_atomic_t depth;
  (void)signal;
  if (depth == 2) {
    return;
  }
  depth++;
  if (gw_computing) {
    gw_fit_thread();
    gw_pause();
    gw_fit_thread();
  } else if (gw_whole_process) {
    gw_pause();
  }
  depth--;
}

static bool handler_is_ours(void) {
  struct sigaction action;
  return sigaction(SIGURG, NULL, &action) == 0 && action.sa_handler == on_signal;
}

/* Whether the thread blocks the signal; false where the thread has ended. */
static bool is_blocked_in(pid_t thread) {
  char path[64], line[256];
  unsigned long blocked = 0;
  snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
  FILE *file = fopen(path, "re");
  while (file != NULL && fgets(line, sizeof line, file) != NULL &&
         sscanf(line, "SigBlk: %lx", &blocked) != 1) {
  }
  if (file != NULL) {
    fclose(file);
  }
  return (blocked >> (SIGURG - 1) & 1) != 0;
}

bool gw_interrupt_works(void) {
  if (!enabled || atomic_load(&gw_unstoppable_seen) || !handler_is_ours()) {
    return false;
  }
  pid_t thread = getpid();
  for (int i = 0; i < SLOTS; i++) {
    pid_t one = atomic_load_explicit(&inside[i], memory_order_relaxed);
    thread = one != 0 ? one : thread;
  }
  return !is_blocked_in(thread);
}

/* Runs on the watcher's thread. */
void gw_stop_threads(void) {
  if (!enabled || !handler_is_ours()) {
    return;
  }
  if (gw_whole_process) {
    gw_stop_process();
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
  gw_narrow_fork_child();
  gw_use_fork_child();
  for (int i = 0; i < SLOTS; i++) {
    atomic_store_explicit(&inside[i], 0, memory_order_relaxed);
  }
}

static void set_up(void) {
  gw_on_look(gw_look_at_use);
  const char *setting = getenv("GIVEWAY_INTERRUPT");
  struct sigaction before, action;
  if ((setting != NULL && strcmp(setting, "0") == 0) || sigaction(SIGURG, NULL, &before) != 0 ||
      (before.sa_flags & SA_SIGINFO) != 0 ||
      (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)) {
    return;
  }
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGURG, &action, NULL) == 0) {
    pthread_atfork(NULL, NULL, forked_child);
    enabled = true;
    gw_on_preempt(gw_stop_threads);
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
      gw_fit_thread();
      return slot;
    }
  }
  return -1;
}

static void leave(int slot) {
  gw_computing = 0;
  gw_widen_thread();
  if (slot >= 0) {
    atomic_store_explicit(&inside[slot], 0, memory_order_release);
  }
}

void gw_run_body(void *gw_body) {
  struct gw_body *region = gw_body;
  if (gw_region_depth != 0) { /* the thread that launched the region */
    region->team = region->runtime->get_num_threads != NULL
                       ? (unsigned)region->runtime->get_num_threads()
                       : GW_ANY_TEAM;
    gw_team_begin(region->task, region->team);
  }
  if (!enabled) {
    region->body(region->data);
    return;
  }
  if (gw_region_depth == 0 && sched_getcpu() == region->cpu) {
    gw_step_off(region->cpu); /* before the handler may change the affinity */
  }
  int slot = enter();
  region->body(region->data);
  leave(slot);
}
