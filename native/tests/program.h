/* A program that the test controls step by step, in a process or a thread of its own. */
#ifndef GIVEWAY_TEST_PROGRAM_H
#define GIVEWAY_TEST_PROGRAM_H

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "harness.h"

__attribute__((unused)) static void keep_active(void) { setenv("GIVEWAY_LINGER_MS", "100000", 1); }

struct program {
  pid_t process; /* 0: a thread of the test */
  pid_t thread;
  const char *device, *job; /* job: NULL for none */
  int priority;
  gw_task *task;
  uint32_t row;
  uint64_t ticket;
  void (*act)(gw_task *); /* the last step that the test asked for */
  _Atomic uint32_t asked, done;
  pthread_t handle;
};

static bool in_job(const struct program *program) {
  return program->job != NULL ? *program->job != '\0' : getenv("TORCHELASTIC_RUN_ID") != NULL;
}

__attribute__((unused)) static void *obey(void *argument) {
  struct program *program = argument;
  if (program->task == NULL) {
    if (program->job != NULL) {
      setenv("GIVEWAY_JOB", program->job, 1);
    }
    program->task = join(open_page_of(program->device), program->priority);
    clock_await_sleepers(in_job(program) ? 3 : 1); /* two threads of the job */
  }
  program->row = info_of(program->task).row;
  program->ticket = info_of(program->task).ticket;
  program->thread = (pid_t)syscall(SYS_gettid);
  for (uint32_t done = 0;;) {
    while (atomic_load(&program->asked) == done) {
      syscall(SYS_futex, &program->asked, FUTEX_WAIT, done, NULL, NULL, 0);
    }
    if (program->act == NULL) {
      atomic_store(&program->done, done + 1);
      return NULL;
    }
    program->act(program->task);
    atomic_store(&program->done, ++done);
    clock_leave();
  }
}

/* The kernel's state of the thread: 'S' while it sleeps. */
__attribute__((unused)) static char thread_state(pid_t process, pid_t thread) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, thread);
  int fd = open(path, O_RDONLY);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0) {
    close(fd);
  }
  const char *end = n > 0 ? strrchr(text, ')') : NULL;
  return end != NULL ? end[2] : '?';
}

__attribute__((unused)) static bool finished(struct program *program) {
  return atomic_load(&program->done) == atomic_load(&program->asked);
}

/* Asks the program for a step. Returns once the program has done the step, or waits inside it. */
__attribute__((unused)) static void ask(struct program *program, void (*act)(gw_task *)) {
  CHECK(finished(program));
  program->act = act;
  atomic_fetch_add(&program->asked, 1);
  syscall(SYS_futex, &program->asked, FUTEX_WAKE, 1, NULL, NULL, 0);
  pid_t process = program->process != 0 ? program->process : getpid();
  CHECK(until((finished(program) && thread_state(process, program->thread) == 'S') ||
                  clock_sleeps(program->thread),
              60000));
  clock_settle();
}

__attribute__((unused)) static void do_nothing(gw_task *task) { (void)task; }

__attribute__((unused)) static struct program *start_on(const char *device, const char *job,
                                                        int priority) {
  struct program *program = shared_memory(sizeof *program);
  program->device = device;
  program->job = job;
  program->priority = priority;
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    obey(program);
  }
  program->process = pid;
  CHECK(until(program->thread != 0, 60000));
  ask(program, do_nothing);
  return program;
}

__attribute__((unused)) static struct program *start_program(int priority) {
  return start_on("cpu", NULL, priority);
}

/* Starts a thread of this process that launches for the task. */
__attribute__((unused)) static struct program *start_thread(gw_task *task) {
  struct program *program = shared_memory(sizeof *program);
  program->task = task;
  CHECK(pthread_create(&program->handle, NULL, obey, program) == 0);
  CHECK(until(*(volatile pid_t *)&program->thread != 0, 60000));
  ask(program, do_nothing);
  return program;
}

__attribute__((unused)) static void kill_program(struct program *program) {
  CHECK(kill(program->process, SIGKILL) == 0);
  CHECK(waitpid(program->process, NULL, 0) == program->process);
  clock_settle();
}

__attribute__((unused)) static void stop_program(struct program *program) {
  int status;
  clock_expect_stop(program->process, true);
  CHECK(kill(program->process, SIGSTOP) == 0);
  CHECK(waitpid(program->process, &status, WUNTRACED) == program->process && WIFSTOPPED(status));
}

__attribute__((unused)) static void continue_program(struct program *program) {
  int status;
  CHECK(kill(program->process, SIGCONT) == 0);
  CHECK(waitpid(program->process, &status, WCONTINUED) == program->process);
  clock_expect_stop(program->process, false);
  clock_settle();
}

/* The program's row. Unlike gw_tasks, this does not reap dead tasks. */
__attribute__((unused)) static struct gw_task_info info_of_program(struct program *program) {
  struct gw_task_info info;
  const char *device = program->device != NULL ? program->device : "cpu";
  CHECK(gw_task_at(open_page_of(device), program->row, program->ticket, &info) == GW_OK);
  return info;
}

#endif
