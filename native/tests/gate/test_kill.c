/* kill -9 of any process at any moment: no process hangs, and the page stays valid. With the
 * argument to soak: in large numbers, and no dead task holds a survivor for more than 100 ms. */
#include "harness.h"

#include <sched.h>

#define KILLS 200
#define SOME_KILLS 25
#define WORKERS 6
#define LIMIT_NS (100 * MS)

struct worker {
  pid_t pid;
  int priority;
  _Atomic uint64_t launches;
};

static struct worker *workers;

/* For each core, the time for which the machine itself delayed a process. On each core a process
 * wakes up every millisecond and adds up its delays, which do not count as the gate's. */
static _Atomic uint64_t *stalled_ns;

static void watch_core(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  for (uint64_t last = now_ns();;) {
    usleep(1000);
    uint64_t now = now_ns();
    atomic_fetch_add(&stalled_ns[cpu], now - last > 5 * MS ? now - last : 0);
    last = now;
  }
}

static void watch_the_machine(void) {
  cpu_set_t ours;
  stalled_ns = shared_memory(CPU_SETSIZE * sizeof *stalled_ns);
  CHECK(sched_getaffinity(0, sizeof ours, &ours) == 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &ours) && fork() == 0) {
      watch_core(cpu);
    }
  }
}

/* The delay of the worst core; resets all. */
static uint64_t time_lost(void) {
  uint64_t most = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    uint64_t lost = atomic_exchange(&stalled_ns[cpu], 0);
    most = lost > most ? lost : most;
  }
  return most;
}

/* Launches without a pause, now and then idle, so that kills meet launches, waits and transitions.
 */
static void work(struct worker *me, unsigned seed) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1); /* so that only reaping frees a held one */
  gw_task *task = join(open_page(), me->priority);
  for (;;) {
    gw_begin(task);
    for (unsigned spin = (unsigned)rand_r(&seed) % 2000; spin > 0; spin--) {
      __asm__ volatile("");
    }
    gw_end(task);
    atomic_fetch_add(&me->launches, 1);
    if (rand_r(&seed) % 4 == 0) {
      gw_idle(task);
    }
  }
}

static void start(struct worker *worker, unsigned seed) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    work(worker, seed);
  }
  worker->pid = pid; /* shared with the child, which must not write it */
}

static void end(struct worker *worker) {
  kill(worker->pid, SIGKILL);
  CHECK(waitpid(worker->pid, NULL, 0) == worker->pid);
}

static void show_page(void) {
  struct gw_page_layout *raw = raw_page();
  fprintf(stderr, "lock word %x, now %llu\n", (unsigned)raw->header.lock.__data.__lock,
          (unsigned long long)now_ns());
  for (int i = 0; i < WORKERS + 2; i++) {
    struct gw_row *r = &raw->rows[i];
    fprintf(stderr,
            "row %d: pid %u priority %d state %u gate %u waiters %u ticket %llu beat %llu launches "
            "%llu\n",
            i, r->pid, r->priority, r->state, r->gate, r->waiters, (unsigned long long)r->ticket,
            (unsigned long long)r->beat_ns, (unsigned long long)r->launches);
  }
}

/* The most urgent live task is never held, so it must launch within the limit. */
static uint64_t time_to_progress(struct worker *worker) {
  time_lost();
  uint64_t then = atomic_load(&worker->launches), start_ns = now_ns();
  while (atomic_load(&worker->launches) == then) {
    if (now_ns() - start_ns > 60000 * MS) {
      show_page();
      CHECK(!"progress after a kill");
    }
    usleep(500);
  }
  uint64_t took = now_ns() - start_ns;
  if (took < LIMIT_NS) {
    return took;
  }
  sleep_ms(5); /* until they have noticed as well */
  uint64_t lost = time_lost();
  return took > lost ? took - lost : 0;
}

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint64_t times[KILLS];

static void kill_some(int count) {
  workers = shared_memory(WORKERS * sizeof *workers);
  watch_the_machine();
  unsigned seed = (unsigned)now_ns();
  printf("seed %u\n", seed);
  fflush(stdout);
  struct gw_task_info infos[GW_ROWS];
  gw_page *page = open_page();
  for (int i = 0; i < WORKERS; i++) {
    workers[i].priority = i;
    start(&workers[i], seed + (unsigned)i);
  }
  time_to_progress(&workers[WORKERS - 1]);
  for (int kills = 0; kills < count; kills++) {
    usleep((unsigned)rand_r(&seed) % 8000);
    int first = rand_r(&seed) % WORKERS; /* it and everybody more urgent, at once */
    if (first == 0) {
      first = 1;
    }
    for (int i = first; i < WORKERS; i++) {
      kill(workers[i].pid, SIGKILL);
    }
    times[kills] = time_to_progress(&workers[first - 1]);
    CHECK(gw_page_check(page) == GW_OK);
    for (int i = first; i < WORKERS; i++) {
      end(&workers[i]);
    }
    int n = gw_tasks(page, infos, GW_ROWS);
    CHECK(n >= 0 && n <= first);
    for (int i = first; i < WORKERS; i++) {
      start(&workers[i], seed + (unsigned)(kills * WORKERS + i));
    }
  }
  for (int i = 0; i < WORKERS; i++) {
    end(&workers[i]);
  }
  CHECK(gw_tasks(page, infos, GW_ROWS) == 0);
}

#define LARGE_BYTES (UINT64_C(2) << 30)

/* The kernel takes a while to free the memory of a large process. A task of it holds nobody
 * meanwhile. */
static void a_large_process_holds_nobody_while_it_dies(void) {
  workers = shared_memory(WORKERS * sizeof *workers);
  watch_the_machine();
  start(&workers[0], 1);
  pid_t large = fork();
  if (large == 0) {
    char *memory = mmap(NULL, LARGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(memory != MAP_FAILED);
    gw_task *task = join(open_page(), 10);
    gw_begin(task);
    atomic_store(&workers[1].launches, 1);
    pause();
  }
  CHECK(eventually(&workers[1].launches, 0, 60000) && somebody_waits("cpu"));
  uint64_t killed = now_ns();
  CHECK(kill(large, SIGKILL) == 0);
  uint64_t took = time_to_progress(&workers[0]);
  CHECK(waitpid(large, NULL, 0) == large);
  printf("killed with %d MiB: a survivor goes on after %.1f ms, the end of the process %.1f ms\n",
         (int)(LARGE_BYTES >> 20), (double)took / MS, (double)(now_ns() - killed) / MS);
  fflush(stdout);
  end(&workers[0]);
  CHECK(took < LIMIT_NS);
}

static void survivors_go_on(void) { kill_some(SOME_KILLS); }

static void survivors_are_never_held_by_the_dead(void) {
  kill_some(KILLS);
  qsort(times, KILLS, sizeof *times, by_size);
  printf("progress after a kill: p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
         (double)times[KILLS / 2] / MS, (double)times[KILLS * 99 / 100] / MS,
         (double)times[KILLS - 1] / MS);
  fflush(stdout);
  CHECK(times[KILLS - 1] < LIMIT_NS);
}

/* Kills all workers at once, repeatedly, on one page that stays in use. */
static void kill_all(int rounds) {
  workers = shared_memory(WORKERS * sizeof *workers);
  unsigned seed = (unsigned)now_ns();
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < WORKERS; i++) {
      workers[i].priority = rand_r(&seed) % 3;
      start(&workers[i], seed + (unsigned)i);
    }
    usleep((unsigned)rand_r(&seed) % 20000);
    for (int i = 0; i < WORKERS; i++) {
      kill(workers[i].pid, SIGKILL);
    }
    for (int i = 0; i < WORKERS; i++) {
      end(&workers[i]);
    }
  }
  gw_page *page = open_page();
  struct gw_task_info infos[GW_ROWS];
  CHECK(gw_page_check(page) == GW_OK && gw_tasks(page, infos, GW_ROWS) == 0);
  gw_task *task = join(page, 0);
  gw_begin(task);
  CHECK(info_of(task).active && !info_of(task).gate_closed);
}

static void everybody_dies(void) { kill_all(10); }
static void everybody_dies_often(void) { kill_all(200); }

static const struct test_case cases[] = {
    {"survivors go on", survivors_go_on},
    {"everybody dies", everybody_dies},
};
static const struct test_case soak[] = {
    {"survivors are never held by the dead", survivors_are_never_held_by_the_dead},
    {"everybody dies, often", everybody_dies_often},
    {"a large process holds nobody while it dies", a_large_process_holds_nobody_while_it_dies},
};

int main(int count, char **arguments) {
  bool soaks = count > 1 && strcmp(arguments[1], "soak") == 0;
  int failed = 0;
  for (int i = 0; i < (soaks ? 3 : 2); i++) {
    failed += run_case(soaks ? &soak[i] : &cases[i], 240);
  }
  return failed != 0;
}
