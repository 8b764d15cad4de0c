/* Threads of a region that share a core part, and their affinity stays as it was. Run with
 * libgiveway-cpu.so preloaded. */
#include "harness.h"

#include <omp.h>
#include <sched.h>

#define ROUNDS 300 /* to soak */
#define SOME_ROUNDS 50

static cpu_set_t everywhere;

static int allowed_cores(void) {
  CHECK(sched_getaffinity(0, sizeof everywhere, &everywhere) == 0);
  return CPU_COUNT(&everywhere);
}

/* Both threads of a team on the first core, free to go where they like from now on. */
static void stack_up(void) {
  cpu_set_t first;
  CPU_ZERO(&first);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &everywhere)) {
      CPU_SET(cpu, &first);
      break;
    }
  }
#pragma omp parallel num_threads(2)
  {
    CHECK(sched_setaffinity(0, sizeof first, &first) == 0);
    CHECK(sched_setaffinity(0, sizeof everywhere, &everywhere) == 0);
  }
}

static _Atomic int *together;

static void count_together(void) {
  for (int round = 0; round < ROUNDS; round++) {
    sleep_ms(3);
    stack_up();
    int cpu[2] = {-1, -2};
#pragma omp parallel num_threads(2)
    cpu[omp_get_thread_num()] = sched_getcpu();
    *together += cpu[0] == cpu[1];
  }
}

/* The number of rounds in which the threads share a core, with this GIVEWAY_INTERRUPT. */
static int rounds_together(const char *interrupt) {
  atomic_store(together, 0);
  pid_t pid = fork();
  if (pid == 0) {
    setenv("GIVEWAY_INTERRUPT", interrupt, 1);
    count_together();
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  return atomic_load(together);
}

/* With GIVEWAY_INTERRUPT=0 the kernel leaves the threads together in 30 to 75 of 300 rounds. Where
 * other programs keep the cores busy, giveway must at least halve that. */
static void threads_on_one_core_part(void) {
  if (allowed_cores() < 2) {
    return;
  }
  together = shared_memory(sizeof *together);
  int ours = 0, left_alone = 0;
  for (int tries = 0; tries < 3; tries++) {
    int rounds = rounds_together("1");
    if (rounds <= ROUNDS / 20) {
      return;
    }
    ours += rounds;
    left_alone += rounds_together("0");
  }
  fprintf(stderr, "together in %d rounds, without giveway in %d\n", ours, left_alone);
  CHECK(ours <= left_alone / 2);
}

static void allowed_cores_stay_as_they_were(void) {
  allowed_cores();
  for (int round = 0; round < SOME_ROUNDS; round++) {
    sleep_ms(3);
    stack_up();
#pragma omp parallel num_threads(2)
    {
      cpu_set_t now;
      CHECK(sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &everywhere));
    }
  }
}

static void a_pinned_thread_stays(void) {
  allowed_cores();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
#pragma omp parallel num_threads(2)
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  for (int round = 0; round < SOME_ROUNDS; round++) {
    sleep_ms(3);
#pragma omp parallel num_threads(2)
    {
      cpu_set_t now;
      CHECK(sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &one));
    }
  }
}

static const struct test_case cases[] = {
    {"allowed cores stay as they were", allowed_cores_stay_as_they_were},
    {"a pinned thread stays", a_pinned_thread_stays},
};
static const struct test_case soak[] = {{"threads on one core part", threads_on_one_core_part}};

int main(int count, char **arguments) {
  if (count > 1 && strcmp(arguments[1], "soak") == 0) {
    return run_case(&soak[0], 240);
  }
  return run_case(&cases[0], 240) | run_case(&cases[1], 240);
}
