/* Turns: who has been held for max_wait runs for a quantum, and those before it yield. */
#include <pthread.h>

#include "progress.h"

static void nobody_starves(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  setenv("GIVEWAY_QUANTUM_MS", "10", 1);
  struct progress *low = shared_memory(sizeof *low);
  gw_task *high = join(open_page(), 10);
  gw_begin(high);
  uint64_t start = now_ns();
  pid_t pid = spawn(0, low);
  sleep_ms(1150);
  /* Ten quanta of about ten launches in the best case, and but for a moment in which this process
   * was late, only in its quanta. */
  CHECK(eventually(&low->launches, 9, 10000));
  CHECK(until(atomic_load(&low->launches) <= (now_ns() - start) / (4 * MS), 10000));
  stop(pid);
}

static void a_turn_is_not_shared_with_who_made_it_wait(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  setenv("GIVEWAY_QUANTUM_MS", "20", 1);
  struct progress *low = shared_memory(sizeof *low), *high = shared_memory(sizeof *high);
  pid_t urgent = spawn(10, high);
  CHECK(eventually(&high->launches, 3, 10000));
  low->beside = high;
  pid_t other = spawn(0, low);
  CHECK(eventually(&low->launches, 100, 10000));
  /* The first launch of a turn meets the last one of the other program, and so does the last. */
  CHECK(atomic_load(&low->overlaps) < atomic_load(&low->launches) / 2);
  uint64_t then = atomic_load(&high->launches);
  CHECK(eventually(&high->launches, then + 100, 10000));
  stop(urgent);
  stop(other);
}

static void who_comes_in_a_turn_runs_at_once(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  setenv("GIVEWAY_QUANTUM_MS", "1000", 1);
  gw_page *page = open_page();
  struct progress *low = shared_memory(sizeof *low);
  gw_task *high = join(page, 10), *higher = join(page, 20);
  gw_begin(high);
  pid_t pid = spawn(0, low);
  CHECK(until(info_of(high).gate_closed, 10000));
  gw_begin(higher);
  CHECK(!info_of(higher).gate_closed && info_of(high).gate_closed);
  gw_end(higher);
  gw_idle(higher);
  CHECK(until(!info_of(high).gate_closed, 10000));
  stop(pid);
}

static void a_killed_turn_ends(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1); /* the urgent one asks for no turn of its own */
  struct progress *low = shared_memory(sizeof *low), *high = shared_memory(sizeof *high);
  pid_t urgent = spawn(10, high);
  CHECK(eventually(&high->launches, 3, 10000));
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  setenv("GIVEWAY_QUANTUM_MS", "60000", 1);
  pid_t other = spawn(0, low);
  CHECK(eventually(&low->launches, 3, 10000));
  CHECK(stands_still(atomic_load(&high->launches), 40));
  uint64_t then = atomic_load(&high->launches);
  stop(other);
  CHECK(eventually(&high->launches, then + 3, 10000));
  stop(urgent);
}

static void many_who_starve_take_their_turns_together(void) {
  enum { OTHERS = 8 };
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "200", 1);
  setenv("GIVEWAY_QUANTUM_MS", "10", 1);
  struct progress *low = shared_memory(OTHERS * sizeof *low);
  gw_task *high = join(open_page(), 10);
  gw_begin(high);
  pid_t others[OTHERS];
  for (int i = 0; i < OTHERS; i++) {
    others[i] = spawn(0, &low[i]);
    sleep_ms(25);
  }
  uint64_t before = info_of(high).preemptions, start = now_ns();
  sleep_ms(2000);
  uint64_t turns = info_of(high).preemptions - before;
  CHECK(turns <= (now_ns() - start) / (100 * MS) + 2); /* not eight in each max_wait */
  for (int i = 0; i < OTHERS; i++) {
    CHECK(eventually(&low[i].launches, 0, 10000));
  }
  for (int i = 0; i < OTHERS; i++) {
    stop(others[i]);
  }
}

/* The page's lock, in the hands of somebody who is slow. */
static void lock_raw(struct gw_page_layout *page) {
  CHECK(pthread_mutex_lock(&page->header.lock) == 0);
}

static void unlock_raw(struct gw_page_layout *page) {
  CHECK(pthread_mutex_unlock(&page->header.lock) == 0);
}

/* When the two that joined first may ask for a turn; 0 where it is too late for that, or one of
 * them is not held, or not for as long as the other. */
static uint64_t due_at(const struct gw_page_layout *page, uint64_t max_wait_ns) {
  uint64_t at[2], now = now_ns();
  for (int i = 0; i < 2; i++) {
    at[i] = atomic_load(&page->rows[i].closed_ns) + max_wait_ns;
    if (atomic_load(&page->rows[i].gate) != GW_CLOSED || at[i] < now) {
      return 0;
    }
  }
  return at[0] == at[1] ? at[0] : 0;
}

/* Both ask for a turn before one of them has it: it is for both. */
static void two_who_starve_at_once_keep_their_turn(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "1500", 1);
  setenv("GIVEWAY_QUANTUM_MS", "1000", 1);
  struct progress *low = shared_memory(2 * sizeof *low);
  pid_t pids[] = {spawn(0, &low[0]), spawn(0, &low[1])};
  CHECK(eventually(&low[0].launches, 0, 10000) && eventually(&low[1].launches, 0, 10000));
  gw_task *high = join(open_page(), 10);
  struct gw_page_layout *page = raw_page();
  uint64_t due = 0;
  for (int tries = 0; due == 0; tries++) { /* again where this process was late */
    CHECK(tries < 3);
    gw_begin(high);
    sleep_ms(1470);
    lock_raw(page);
    due = due_at(page, 1500 * MS);
    if (due == 0) {
      unlock_raw(page);
      gw_end(high);
      gw_idle(high);
    }
  }
  uint64_t then[] = {atomic_load(&low[0].launches), atomic_load(&low[1].launches)};
  while (now_ns() < due + 20 * MS) { /* for 50 ms they would wait for the lock */
    usleep(1000);
  }
  unlock_raw(page);
  CHECK(eventually(&low[0].launches, then[0] + 4, 1000));
  CHECK(eventually(&low[1].launches, then[1] + 4, 700));
  stop(pids[0]);
  stop(pids[1]);
}

static void who_rested_when_a_turn_began_runs_at_once(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "1000", 1);
  setenv("GIVEWAY_QUANTUM_MS", "5000", 1);
  gw_page *page = open_page();
  struct progress *low = shared_memory(sizeof *low);
  gw_task *service = join(page, 10), *busy = join(page, 10);
  gw_begin(busy);
  gw_begin(service);
  gw_end(service); /* and counts as active for some time to come */
  pid_t pid = spawn(0, low);
  CHECK(until(info_of(busy).gate_closed, 10000));
  gw_idle(service);
  uint64_t start = now_ns();
  gw_begin(service);
  CHECK(now_ns() - start < 2500 * MS && info_of(busy).gate_closed);
  gw_end(service);
  stop(pid);
}

static void a_stopped_turn_ends(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  struct progress *low = shared_memory(sizeof *low), *high = shared_memory(sizeof *high);
  pid_t urgent = spawn(10, high);
  CHECK(eventually(&high->launches, 3, 10000));
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  setenv("GIVEWAY_QUANTUM_MS", "60000", 1);
  pid_t other = spawn(0, low);
  CHECK(eventually(&low->launches, 3, 10000));
  kill(other, SIGSTOP);
  uint64_t then = atomic_load(&high->launches);
  CHECK(eventually(&high->launches, then + 3, 10000));
  stop(other);
  stop(urgent);
}

static gw_task *held_on_its_device;
static _Atomic int admitted;

static void *admit_held(void *unused) {
  (void)unused;
  gw_admit_held(held_on_its_device);
  atomic_store(&admitted, 1);
  return NULL;
}

/* Its device would hold the launch, and nobody would look after it. */
static void who_cannot_become_active_waits_at_the_gate(void) {
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  gw_page *page = open_page();
  gw_task *high = join(page, 10);
  held_on_its_device = join(page, 0);
  gw_begin(high);
  struct gw_page_layout *raw = raw_page();
  lock_raw(raw);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, admit_held, NULL) == 0);
  sleep_ms(300);
  CHECK(!atomic_load(&admitted));
  unlock_raw(raw);
  gw_end(high);
  for (uint64_t end = now_ns() + 5000 * MS; !atomic_load(&admitted) && now_ns() < end;) {
    gw_idle(high); /* until the lock is tried again */
    sleep_ms(10);
  }
  CHECK(atomic_load(&admitted));
  pthread_join(thread, NULL);
}

static const struct test_case cases[] = {
    {"nobody starves", nobody_starves},
    {"a turn is not shared", a_turn_is_not_shared_with_who_made_it_wait},
    {"who comes in a turn runs at once", who_comes_in_a_turn_runs_at_once},
    {"a killed turn ends", a_killed_turn_ends},
    {"many who starve take their turns together", many_who_starve_take_their_turns_together},
    {"two who starve at once keep their turn", two_who_starve_at_once_keep_their_turn},
    {"who rested when a turn began runs at once", who_rested_when_a_turn_began_runs_at_once},
    {"a stopped turn ends", a_stopped_turn_ends},
    {"who cannot become active waits at the gate", who_cannot_become_active_waits_at_the_gate},
};

RUN_CASES(cases, 60)
