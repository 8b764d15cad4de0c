/* The gate of a whole process, whose work does not come in regions. Run with libgiveway-cpu.so
 * preloaded. Programs are started anew: a process joins when it starts. */
#include "held.h"

#include <poll.h>
#include <pthread.h>

struct whole {
  struct shared shared;
  _Atomic uint64_t rest, broken, child;
};

static struct whole *whole;

/* ---- the program ---------------------------------------------------------------------------- */

static void *compute(void *unused) {
  for (;;) {
    while (atomic_load(&whole->rest) != 0) {
      usleep(1000);
    }
    atomic_fetch_add(&whole->shared.steps, 1);
  }
  return unused;
}

/* Waits for ever, in a call that every signal ends. */
static void *wait_for_ever(void *unused) {
  while (poll(NULL, 0, -1) != 0) {
    atomic_fetch_add(&whole->broken, 1);
  }
  return unused;
}

static int program(const char *memory, const char *how) {
  whole = mmap(NULL, sizeof *whole, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(memory), 0);
  CHECK(whole != MAP_FAILED);
  if (strcmp(how, "blocks") == 0) {
    sigset_t urge;
    sigemptyset(&urge);
    sigaddset(&urge, SIGURG);
    CHECK(pthread_sigmask(SIG_BLOCK, &urge, NULL) == 0);
  }
  if (strcmp(how, "forks") == 0) {
    pid_t pid = fork();
    if (pid != 0) {
      atomic_store(&whole->child, (uint64_t)pid);
      wait_for_ever(NULL);
    }
  }
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0);
  CHECK(pthread_create(&thread, NULL, compute, NULL) == 0);
  compute(NULL);
  return 0;
}

/* ---- the tests ------------------------------------------------------------------------------ */

static pid_t start_whole(const char *priority, const char *how) {
  int memory = memfd_create("whole", 0);
  CHECK(memory >= 0 && ftruncate(memory, sizeof *whole) == 0);
  whole = mmap(NULL, sizeof *whole, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  CHECK(whole != MAP_FAILED);
  shared = &whole->shared;
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  char number[16];
  snprintf(number, sizeof number, "%d", memory);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    setenv("GIVEWAY_WHOLE_PROCESS", "1", 1);
    setenv("GIVEWAY_PRIORITY", priority, 1);
    execl("/proc/self/exe", "whole", number, how, NULL);
    _exit(127);
  }
  CHECK(eventually(&shared->steps, 1000, 60000));
  return pid;
}

static bool becomes(struct gw_row *row, uint32_t state) {
  return until(atomic_load(&row->state) == state, 60000);
}

static void every_thread_stops_and_goes_on(void) {
  pid_t low = start_whole("0", "");
  pid_t urgent = urgent_program();
  atomic_store(&shared->go, 1);
  CHECK(stands(row_of(low)) && urgent > 0);
  atomic_store(&shared->go, 2);
  CHECK(goes_on());
  CHECK(atomic_load(&whole->broken) == 0); /* a thread that waits is left alone */
}

static void a_process_has_work_while_it_computes(void) {
  pid_t pid = start_whole("0", "");
  struct gw_row *row = row_of(pid);
  CHECK(becomes(row, GW_ACTIVE));
  atomic_store(&whole->rest, 1);
  CHECK(becomes(row, GW_IDLE));
  atomic_store(&whole->rest, 0);
  CHECK(becomes(row, GW_ACTIVE) && atomic_load(&row->launches) == 0);
}

static void an_urgent_process_holds_others(void) {
  pid_t urgent = start_whole("20", "");
  gw_task *low = join(open_page(), 0);
  CHECK(until(info_of(low).gate_closed, 60000));
  atomic_store(&whole->rest, 1);
  CHECK(until(!info_of(low).gate_closed, 60000) && urgent > 0);
}

/* As OpenBLAS and onnxruntime find out: threads that wake up while the process is held. */
static void a_thread_that_wakes_up_is_stopped(void) {
  pid_t low = start_whole("0", "");
  pid_t urgent = urgent_program();
  atomic_store(&whole->rest, 1);
  CHECK(becomes(row_of(low), GW_IDLE) && urgent > 0);
  atomic_store(&shared->go, 1);
  CHECK(until(atomic_load(&row_of(low)->gate) == GW_CLOSED, 60000));
  atomic_store(&whole->rest, 0);
  CHECK(becomes(row_of(low), GW_ACTIVE) && stands(row_of(low)));
}

static void a_child_has_a_gate_of_its_own(void) {
  CHECK(start_whole("0", "forks") > 0 && eventually(&whole->child, 0, 60000));
  pid_t child = (pid_t)atomic_load(&whole->child), urgent = urgent_program();
  CHECK(until(row_of(child) != NULL, 60000) && urgent > 0);
  atomic_store(&shared->go, 1);
  CHECK(stands(row_of(child)));
}

static uint32_t kind_of(pid_t pid) {
  static struct gw_task_info infos[GW_ROWS];
  for (int i = gw_tasks(open_page(), infos, GW_ROWS); i-- > 0;) {
    if (infos[i].pid == (uint32_t)pid) {
      return infos[i].gate_kind;
    }
  }
  return UINT32_MAX;
}

static void it_says_what_its_gate_stops(void) {
  pid_t pid = start_whole("0", "");
  CHECK(until(kind_of(pid) == GW_STOPS_PROCESS, 60000));
  pid = start_whole("0", "blocks");
  CHECK(until(kind_of(pid) == GW_STOPS_LAUNCHES, 60000));
}

static const struct test_case cases[] = {
    {"every thread stops and goes on", every_thread_stops_and_goes_on},
    {"a process has work while it computes", a_process_has_work_while_it_computes},
    {"an urgent process holds others", an_urgent_process_holds_others},
    {"a thread that wakes up is stopped", a_thread_that_wakes_up_is_stopped},
    {"a child has a gate of its own", a_child_has_a_gate_of_its_own},
    {"it says what its gate stops", it_says_what_its_gate_stops},
};

int main(int count, char **arguments) {
  if (count == 3) {
    return program(arguments[1], arguments[2]);
  }
  int failed = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    failed += run_case(&cases[i], 240);
  }
  return failed != 0;
}
