/* Measures the cost and the speed of the gate. Prints JSON; every figure is from this one run.
 *
 * launch: ns that an open gate adds to a launch: a loop with it against the same loop without, in
 * turn, the difference for each pair.
 *
 * change: us for an idle task to become active and close every other gate, and for the way back,
 * with so many tasks on the page, all of them active.
 *
 * stop: us from a gate closing to the last launch of another process that still went through.
 *
 * wake: us from opening a gate to the first launch of the process that was held.
 *
 * floor: us from waking a bare futex to the other process running: wake cannot be below it.
 */
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../native/gate/clock.h"
#include "giveway_hook.h"

#define ROUNDS 21
#define LAUNCHES 1000000
#define SAMPLES 400
#define ROWS 256

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void report(const char *name, double *values, int n, const char *end) {
  qsort(values, (size_t)n, sizeof *values, ascending);
  printf("  \"%s\": {\"n\": %d, \"min\": %.3f, \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, "
         "\"max\": %.3f}%s\n",
         name, n, values[0], values[n / 2], values[n * 9 / 10], values[n * 99 / 100], values[n - 1],
         end);
}

static gw_task *join(gw_page *page, int priority) {
  gw_task *task;
  struct gw_task_options options = {.name = "bench", .priority = priority};
  if (gw_join(page, &options, &task) != GW_OK) {
    fprintf(stderr, "bench_gate: cannot join the page\n");
    exit(1);
  }
  return task;
}

/* Stands for the driver's launch call: a call that the compiler cannot inline. */
__attribute__((noinline)) static void launch(void) { __asm__ volatile("" ::: "memory"); }

static void bench_launch(gw_page *page) {
  static double begin[ROUNDS], both[ROUNDS];
  gw_task *task = join(page, 0);
  gw_begin(task);
  gw_end(task);
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t t0 = gw_now();
    for (int i = 0; i < LAUNCHES; i++) {
      launch();
    }
    uint64_t t1 = gw_now();
    for (int i = 0; i < LAUNCHES; i++) {
      gw_begin(task);
      launch();
    }
    uint64_t t2 = gw_now();
    for (int i = 0; i < LAUNCHES; i++) {
      gw_begin(task);
      launch();
      gw_end(task);
    }
    uint64_t t3 = gw_now();
    double bare = (double)(t1 - t0);
    begin[round] = ((double)(t2 - t1) - bare) / LAUNCHES;
    both[round] = ((double)(t3 - t2) - bare) / LAUNCHES;
  }
  report("launch_begin_ns", begin, ROUNDS, ",");
  report("launch_begin_and_end_ns", both, ROUNDS, ",");
}

static void bench_change(gw_page *page, int tasks) {
  static double close_us[SAMPLES], open_us[SAMPLES];
  gw_task *others[ROWS];
  gw_task *high = join(page, 10);
  for (int i = 0; i < tasks - 1; i++) {
    others[i] = join(page, 0);
    gw_begin(others[i]);
  }
  for (int i = 0; i < SAMPLES; i++) {
    uint64_t t0 = gw_now();
    gw_begin(high);
    uint64_t t1 = gw_now();
    gw_end(high);
    uint64_t t2 = gw_now();
    gw_idle(high);
    open_us[i] = (double)(gw_now() - t2) / 1e3;
    close_us[i] = (double)(t1 - t0) / 1e3;
  }
  char name[64];
  snprintf(name, sizeof name, "change_%d_tasks_closing_us", tasks);
  report(name, close_us, SAMPLES, ",");
  snprintf(name, sizeof name, "change_%d_tasks_opening_us", tasks);
  report(name, open_us, SAMPLES, ",");
  for (int i = 0; i < tasks - 1; i++) {
    gw_leave(others[i]);
  }
  gw_leave(high);
}

struct shared {
  _Atomic uint64_t last_ns; /* of the other process's latest launch */
  _Atomic uint64_t launches;
};

static void bench_stop(gw_page *page) {
  static double stop_us[SAMPLES];
  struct shared *low =
      mmap(NULL, sizeof *low, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  gw_task *high = join(page, 10);
  pid_t pid = fork();
  if (pid == 0) {
    gw_page *mine;
    gw_page_open("bench", 1, &mine);
    gw_task *task = join(mine, 0);
    for (;;) {
      gw_begin(task);
      atomic_store(&low->last_ns, gw_now());
      atomic_fetch_add(&low->launches, 1);
      gw_end(task);
    }
  }
  while (atomic_load(&low->launches) < 1000) {
    usleep(1000);
  }
  for (int i = 0; i < SAMPLES; i++) {
    uint64_t closing = gw_now();
    gw_begin(high);
    usleep(2000);
    uint64_t last = atomic_load(&low->last_ns);
    stop_us[i] = last > closing ? (double)(last - closing) / 1e3 : 0;
    gw_end(high);
    gw_idle(high);
    usleep(2000);
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  gw_leave(high);
  report("stop_us", stop_us, SAMPLES, ",");
}

static void wait_until_held(gw_page *page, gw_task *high) {
  struct gw_task_info mine, infos[ROWS];
  gw_task_describe(high, &mine);
  for (;;) {
    usleep(1000);
    int n = gw_tasks(page, infos, ROWS);
    for (int i = 0; i < n; i++) {
      if (infos[i].ticket != mine.ticket && infos[i].gate_closed && infos[i].waiters > 0) {
        usleep(2000); /* asleep for a while, its core too */
        return;
      }
    }
  }
}

/* The other process records the first launch after each hold itself. */
static void bench_wake(gw_page *page) {
  static double wake_us[SAMPLES];
  struct shared *low =
      mmap(NULL, sizeof *low, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  gw_task *high = join(page, 10);
  pid_t pid = fork();
  if (pid == 0) {
    gw_page *mine;
    gw_page_open("bench", 1, &mine);
    gw_task *task = join(mine, 0);
    for (uint64_t seen = 0;;) {
      usleep(500);
      gw_begin(task);
      uint64_t now = gw_now();
      gw_end(task);
      struct gw_task_info info;
      if (gw_task_describe(task, &info) == GW_OK && info.held != seen) {
        seen = info.held;
        atomic_store(&low->last_ns, now);
        atomic_fetch_add(&low->launches, 1);
      }
    }
  }
  for (int i = 0; i < SAMPLES; i++) {
    gw_begin(high);
    wait_until_held(page, high);
    uint64_t before = atomic_load(&low->launches);
    gw_end(high);
    uint64_t opening = gw_now();
    gw_idle(high);
    while (atomic_load(&low->launches) == before) {
      usleep(200);
    }
    uint64_t woke = atomic_load(&low->last_ns);
    wake_us[i] = woke > opening ? (double)(woke - opening) / 1e3 : 0;
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  report("wake_us", wake_us, SAMPLES, ",");
}

static void bench_floor(void) {
  static double floor_us[SAMPLES];
  struct {
    _Atomic uint32_t word;
    _Atomic uint64_t woke_ns;
  } *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid == 0) {
    for (uint32_t seen = 0;; seen++) {
      while (atomic_load(&shared->word) == seen) {
        syscall(SYS_futex, &shared->word, FUTEX_WAIT, seen, NULL, NULL, 0);
      }
      atomic_store(&shared->woke_ns, gw_now());
    }
  }
  for (int i = 0; i < SAMPLES; i++) {
    usleep(4000);
    uint64_t start = gw_now();
    atomic_fetch_add(&shared->word, 1);
    syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1, NULL, NULL, 0);
    while (atomic_load(&shared->woke_ns) < start) {
      usleep(200);
    }
    floor_us[i] = (double)(atomic_load(&shared->woke_ns) - start) / 1e3;
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  report("floor_us", floor_us, SAMPLES, "");
}

int main(void) {
  char directory[] = "/dev/shm/giveway-bench-XXXXXX";
  if (mkdtemp(directory) == NULL) {
    perror("bench_gate: mkdtemp");
    return 1;
  }
  setenv("GIVEWAY_DIR", directory, 1);
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  gw_page *page;
  if (gw_page_open("bench", 1, &page) != GW_OK) {
    fprintf(stderr, "bench_gate: cannot make a page\n");
    return 1;
  }
  printf("{\n");
  bench_launch(page);
  bench_change(page, 2);
  bench_change(page, 64);
  bench_change(page, 255); /* and the one of bench_launch: the page is full */
  bench_stop(page);
  bench_wake(page);
  bench_floor();
  printf("}\n");
  char path[4096];
  gw_page_path("bench", path, sizeof path);
  unlink(path);
  rmdir(directory);
  return 0;
}
