#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../gate/futex.h"
#include "../gate/state.h"

/* The real waits, in slices: between two slices a thread reads the clock of the test. */
#define gw_futex_wait wait_for_real
#define gw_futex_wake wake_for_real
#define gw_lock_within lock_for_real
int wait_for_real(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns, bool shared);
void wake_for_real(_Atomic uint32_t *word, bool shared);
#include "../gate/futex.c"
#undef gw_futex_wait
#undef gw_futex_wake
#undef gw_lock_within

#define SLICE_NS UINT64_C(200000)
#define SLEEPERS 512
#define STOPPED 4
#define PAGE 4096 /* a word has the same offset in its page in every mapping */

enum { FREE, AWAKE, ASLEEP };

struct sleeper {
  _Atomic int state;
  _Atomic pid_t process, thread;
  _Atomic uint64_t wakes_ns; /* when its time limit is over; UINT64_MAX: it has none */
  _Atomic uint64_t round;    /* the last round in which the thread had no reason to wake up */
  _Atomic uint64_t sleeps;
};

static struct {
  _Atomic bool stopped;
  _Atomic uint64_t now_ns;
  _Atomic uint64_t round, changes; /* changes: of all threads, from asleep to awake and back */
  _Atomic uint64_t woken[PAGE];    /* by the offset of a futex word: the number of wakes */
  struct sleeper sleepers[SLEEPERS];
  _Atomic pid_t stopped_processes[STOPPED]; /* by the test; 0: none */
} *shared;

static _Thread_local struct sleeper *own;
static _Thread_local pid_t own_process;

__attribute__((constructor)) static void share_clock(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    abort();
  }
}

static uint64_t kernels_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t gw_now(void) {
  return atomic_load(&shared->stopped) ? atomic_load(&shared->now_ns) : kernels_now();
}

/* Each case of a test runs in a fork, one after the other, so the sleepers of the last case are
 * gone. */
void clock_stop(void) {
  for (int i = 0; i < SLEEPERS; i++) {
    atomic_store(&shared->sleepers[i].state, FREE);
  }
  for (int i = 0; i < STOPPED; i++) {
    atomic_store(&shared->stopped_processes[i], 0);
  }
  atomic_store(&shared->now_ns, kernels_now());
  atomic_store(&shared->stopped, true);
}

static struct sleeper *own_sleeper(void) {
  pid_t process = getpid();
  if (own != NULL && own_process == process) {
    return own;
  }
  for (int i = 0; i < SLEEPERS; i++) {
    int none = FREE;
    if (atomic_compare_exchange_strong(&shared->sleepers[i].state, &none, AWAKE)) {
      own = &shared->sleepers[i];
      own_process = process;
      atomic_store(&own->process, process);
      atomic_store(&own->thread, (pid_t)syscall(SYS_gettid));
      atomic_store(&own->sleeps, 0);
      return own;
    }
  }
  fprintf(stderr, "more threads than the clock has room for\n");
  abort();
}

void clock_leave(void) {
  if (own != NULL && own_process == getpid()) {
    atomic_store(&own->state, FREE);
  }
  own = NULL;
}

static uint64_t sleep_begins(struct sleeper *me, uint64_t timeout_ns) {
  uint64_t wakes = timeout_ns == UINT64_MAX ? UINT64_MAX : gw_now() + timeout_ns;
  atomic_store(&me->wakes_ns, wakes);
  atomic_store(&me->round, 0);
  atomic_fetch_add(&me->sleeps, 1);
  atomic_fetch_add(&shared->changes, 1);
  atomic_store(&me->state, ASLEEP);
  return wakes;
}

static void sleep_ends(struct sleeper *me) {
  atomic_store(&me->state, AWAKE);
  atomic_fetch_add(&shared->changes, 1);
}

void gw_futex_wake(_Atomic uint32_t *word, bool shared_word) {
  atomic_fetch_add(&shared->woken[(uintptr_t)word % PAGE], 1);
  wake_for_real(word, shared_word);
}

/* Whether a wait without slices would be over. A changed word alone does not wake a thread that
 * sleeps already: another thread has to wake it. */
static bool is_over(int r, bool first, bool woken) {
  return r != ETIMEDOUT && (r != EAGAIN || first || woken);
}

/* The thread reads the round before it checks for reasons to wake up. So when the round ends, no
 * thread is about to wake up. */
int gw_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns, bool shared_word) {
  if (!atomic_load(&shared->stopped)) {
    return wait_for_real(word, value, timeout_ns, shared_word);
  }
  _Atomic uint64_t *woken = &shared->woken[(uintptr_t)word % PAGE];
  struct sleeper *me = own_sleeper();
  uint64_t wakes = sleep_begins(me, timeout_ns), before = atomic_load(woken);
  int r;
  for (bool first = true;; first = false) {
    uint64_t round = atomic_load(&shared->round);
    bool over = gw_now() >= wakes;
    r = wait_for_real(word, value, over ? 0 : SLICE_NS, shared_word);
    if (is_over(r, first, atomic_load(woken) != before)) {
      break;
    }
    if (over) {
      r = ETIMEDOUT;
      break;
    }
    if (r == EAGAIN) {
      usleep(SLICE_NS / 1000);
    }
    atomic_store(&me->round, round);
  }
  sleep_ends(me);
  return r;
}

int gw_lock_within(pthread_mutex_t *lock, uint64_t wait_ns) {
  if (!atomic_load(&shared->stopped)) {
    return lock_for_real(lock, wait_ns);
  }
  int r = pthread_mutex_trylock(lock);
  if (r != EBUSY) {
    return r;
  }
  struct sleeper *me = own_sleeper();
  uint64_t wakes = sleep_begins(me, wait_ns);
  for (;;) {
    uint64_t round = atomic_load(&shared->round);
    bool over = gw_now() >= wakes;
    r = lock_for_real(lock, over ? 0 : SLICE_NS);
    if (r != ETIMEDOUT || over) {
      break;
    }
    atomic_store(&me->round, round);
  }
  sleep_ends(me);
  return r;
}

/* The kernel's state of the thread; '?': the thread is gone. */
static char state_of(pid_t process, pid_t thread) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, thread);
  FILE *file = fopen(path, "r");
  size_t n = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file != NULL) {
    fclose(file);
  }
  text[n] = '\0';
  const char *end = strrchr(text, ')');
  return end != NULL && end[1] == ' ' ? end[2] : '?';
}

static _Atomic pid_t *place_of(pid_t process) {
  for (int i = 0; i < STOPPED; i++) {
    if (atomic_load(&shared->stopped_processes[i]) == process) {
      return &shared->stopped_processes[i];
    }
  }
  return NULL;
}

void clock_expect_stop(pid_t process, bool stopped) {
  _Atomic pid_t *place = place_of(stopped ? 0 : process);
  if (place == NULL) {
    fprintf(stderr, "more stopped processes than the clock has room for\n");
    abort();
  }
  atomic_store(place, stopped ? process : 0);
}

/* Whether the thread sleeps through this round, or is dead or stopped by the test. */
static bool quiet(struct sleeper *sleeper, uint64_t round) {
  int state = atomic_load(&sleeper->state);
  if (state == FREE || (state == ASLEEP && atomic_load(&sleeper->round) >= round)) {
    return true;
  }
  char now = state_of(atomic_load(&sleeper->process), atomic_load(&sleeper->thread));
  if (now == '?' || now == 'Z' || now == 'X') {
    atomic_store(&sleeper->state, FREE);
    return true;
  }
  return now == 'T' && place_of(atomic_load(&sleeper->process)) != NULL;
}

/* In a round without a thread that fell asleep or woke up, no thread can have woken another one. */
void clock_settle(void) {
  clock_leave();
  for (uint64_t changes = UINT64_MAX; changes != atomic_load(&shared->changes);) {
    changes = atomic_load(&shared->changes);
    uint64_t round = atomic_fetch_add(&shared->round, 1) + 1;
    for (int i = 0; i < SLEEPERS; i++) {
      while (!quiet(&shared->sleepers[i], round)) {
        usleep(50);
      }
    }
  }
}

static uint64_t next_wake(uint64_t end) {
  for (int i = 0; i < SLEEPERS; i++) {
    struct sleeper *sleeper = &shared->sleepers[i];
    uint64_t wakes = atomic_load(&sleeper->wakes_ns);
    if (atomic_load(&sleeper->state) == ASLEEP && wakes > gw_now() && wakes < end) {
      end = wakes;
    }
  }
  return end;
}

void clock_advance(uint64_t ns) {
  clock_settle();
  for (uint64_t end = gw_now() + ns; gw_now() < end;) {
    atomic_store(&shared->now_ns, next_wake(end));
    clock_settle();
  }
}

static struct sleeper *sleeper_of(pid_t thread) {
  for (int i = 0; i < SLEEPERS; i++) {
    struct sleeper *sleeper = &shared->sleepers[i];
    if (atomic_load(&sleeper->thread) == thread && atomic_load(&sleeper->state) != FREE) {
      return sleeper;
    }
  }
  return NULL;
}

bool clock_sleeps(pid_t thread) {
  struct sleeper *sleeper = sleeper_of(thread);
  return sleeper != NULL && atomic_load(&sleeper->state) == ASLEEP;
}

uint64_t clock_sleeps_of(pid_t thread) {
  struct sleeper *sleeper = sleeper_of(thread);
  return sleeper != NULL ? atomic_load(&sleeper->sleeps) : 0;
}

static int other_sleepers(void) {
  pid_t process = getpid(), me = (pid_t)syscall(SYS_gettid);
  int found = 0;
  for (int i = 0; i < SLEEPERS; i++) {
    struct sleeper *sleeper = &shared->sleepers[i];
    found += atomic_load(&sleeper->state) == ASLEEP && atomic_load(&sleeper->process) == process &&
             atomic_load(&sleeper->thread) != me;
  }
  return found;
}

void clock_await_sleepers(int count) {
  while (atomic_load(&shared->stopped) && other_sleepers() < count) {
    usleep(50);
  }
}
