/* Hazards inside a process: fork, exec, closed descriptors, signals. */
#include <errno.h>
#include <linux/futex.h>

#include "../../gate/robust.h"
#include "program.h"

static void fork_gives_a_task_of_its_own(void) {
  gw_task *parent = gw_current("cpu");
  uint64_t ticket = info_of(parent).ticket;
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(gw_peek() == NULL);
    gw_task *child = gw_current("cpu");
    CHECK(child != NULL && info_of(child).ticket != ticket &&
          info_of(child).pid == (uint32_t)getpid());
    gw_begin(child);
    gw_end(child);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  CHECK(info_of(parent).ticket == ticket && info_of(parent).pid == (uint32_t)getpid());
  struct gw_task_info infos[GW_ROWS];
  CHECK(gw_tasks(open_page(), infos, GW_ROWS) == 1); /* the child is gone and was reaped */
}

/* A child keeps its parent's descriptor, and other tasks notice the parent's death all the same. */
static void a_childs_descriptor_does_not_keep_its_parent_alive(void) {
  pid_t parent = fork();
  if (parent == 0) {
    CHECK(gw_current("cpu") != NULL);
    if (fork() == 0) {
      sleep_ms(60000);
      _exit(0);
    }
    _exit(0); /* no destructor: as if killed */
  }
  CHECK(waitpid(parent, NULL, 0) == parent);
  struct gw_task_info infos[GW_ROWS];
  CHECK(gw_tasks(open_page(), infos, GW_ROWS) == 0);
}

static void exit_leaves(void) {
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(gw_current("cpu") != NULL);
    exit(0);
  }
  CHECK(waitpid(pid, NULL, 0) == pid);
  struct gw_page_layout *raw = (open_page(), raw_page());
  CHECK(atomic_load(&raw->rows[0].state) == GW_FREE);
}

static void exec_loses_the_task(void) {
  int ends[2];
  char byte;
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(gw_current("cpu") != NULL);
    execl("/bin/sleep", "sleep", "60", (char *)NULL);
    _exit(1);
  }
  struct gw_task_info infos[GW_ROWS];
  gw_page *page = open_page();
  close(ends[1]);
  CHECK(read(ends[0], &byte, 1) == 0); /* the exec closes the other one */
  CHECK(until(gw_tasks(page, infos, GW_ROWS) == 0, 60000) && waitpid(pid, NULL, WNOHANG) == 0);
  kill(pid, SIGKILL);
}

/* A daemon closes every descriptor, the page's too, and the number may become another file. */
static void all_descriptors_closed(void) {
  pid_t pid = fork();
  _Atomic uint64_t *launches = shared_memory(sizeof *launches);
  if (pid == 0) {
    launches = shared_memory(sizeof *launches);
    gw_task *task = gw_current("cpu");
    CHECK(task != NULL);
    uint64_t ticket = info_of(task).ticket;
    for (int fd = 3; fd < 1024; fd++) {
      close(fd);
    }
    for (int i = 0; i < 300; i++) {
      CHECK(open("/dev/zero", O_RDWR) >= 0);
    }
    gw_begin(task);
    gw_end(task);
    gw_idle(task);
    gw_begin(task);
    CHECK(info_of(task).active && info_of(task).ticket == ticket);
    struct gw_task_info infos[GW_ROWS];
    pid_t other = fork();
    if (other == 0) {
      _exit(gw_tasks(open_page(), infos, GW_ROWS) == 1 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(other, &status, 0) == other && status == 0);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void a_lost_row_is_replaced(void) {
  gw_task *task = gw_current("cpu");
  uint64_t ticket = info_of(task).ticket;
  struct gw_page_layout *raw = raw_page();
  atomic_store(&raw->rows[0].state, GW_FREE); /* as a mistaken reaper would */
  atomic_store(&raw->rows[0].ticket, 0);
  gw_idle(task);
  gw_begin(task);
  gw_end(task);
  gw_idle(task);
  gw_begin(task);
  CHECK(info_of(task).ticket > ticket && info_of(task).active);
}

/* A task that joins again keeps the priority of the last `giveway set`. */
static void a_lost_row_comes_back_with_its_own_priority(bool taken) {
  clock_stop();
  keep_active(); /* so that the watcher looks after it */
  gw_page *page = open_page();
  gw_task *task = join(page, 3);
  gw_begin(task);
  gw_end(task);
  struct gw_task_info before = info_of(task);
  CHECK(gw_set_priority(page, before.ticket, 7) == GW_OK);
  struct gw_row *row = &raw_page()->rows[before.row];
  clock_advance(41 * MS);
  CHECK(atomic_load(&row->beat_ns) > before.joined_ns); /* its watcher has seen that */
  atomic_store(&row->state, GW_FREE);                   /* as a mistaken reaper would */
  atomic_store(&row->ticket, 0);
  atomic_store(&row->priority, -1000);
  if (taken) {
    atomic_store(&row->state, GW_IDLE);
    atomic_store(&row->ticket, 1u << 20);
  }
  clock_advance(41 * MS); /* and that it is lost */
  gw_begin(task);
  gw_end(task);
  struct gw_task_info after = info_of(task);
  CHECK(after.ticket > before.ticket && after.active && after.priority == 7);
  CHECK(strcmp(after.name, before.name) == 0 && after.pid == before.pid);
}

static void a_reaped_row_comes_back(void) { a_lost_row_comes_back_with_its_own_priority(false); }
static void a_taken_row_comes_back(void) { a_lost_row_comes_back_with_its_own_priority(true); }

static volatile sig_atomic_t own_sigbus;

static void on_own_sigbus(int signal) {
  (void)signal;
  own_sigbus = 1;
  _exit(42);
}

static void other_sigbus_reaches_the_program(void) {
  pid_t pid = fork();
  if (pid == 0) {
    signal(SIGBUS, on_own_sigbus);
    CHECK(gw_current("cpu") != NULL);
    char name[] = "/tmp/giveway-sigbus-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    volatile char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map[0] = 1; /* beyond the end of the file */
    _exit(1);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void launch_often(gw_task *task) {
  for (int i = 0; i < 1000; i++) {
    gw_begin(task);
    gw_end(task);
    gw_idle(task);
  }
}

/* A process that is stopped while it holds the page's lock costs other processes their gating for a
 * moment: one launch waits for the lock for 50 ms, and then no launch waits for a while. */
static void a_stopped_lock_holder_blocks_nobody(void) {
  clock_stop();
  struct program *program = start_program(0);
  struct gw_page_layout *raw = (open_page(), raw_page());
  pid_t pid = fork();
  if (pid == 0) {
    pthread_mutex_lock(&raw->header.lock);
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
  ask(program, launch_often);
  clock_advance(50 * MS - 1);
  CHECK(!finished(program));
  clock_advance(1);
  CHECK(until(finished(program), 60000));
  kill(pid, SIGKILL); /* dies with the lock: the next one gets it */
  CHECK(waitpid(pid, NULL, 0) == pid);
  clock_advance(20 * MS - 1);
  ask(program, gw_begin);
  CHECK(finished(program) && !info_of_program(program).active);
  ask(program, gw_end);
  clock_advance(1);
  ask(program, gw_begin);
  CHECK(finished(program) && info_of_program(program).active);
}

/* The waiter that an unlock has woken is killed, and so nobody wakes the next one. */
static void a_lost_wake_up_is_noticed(void) {
  static const struct {
    int word, found;
  } cases[] = {{0, 0}, {(int)FUTEX_OWNER_DIED, EOWNERDEAD}};
  for (int i = 0; i < 2; i++) {
    pthread_mutex_t *lock = shared_memory(sizeof *lock);
    CHECK(gw_lock_init(lock) == 0);
    CHECK(pthread_mutex_lock(lock) == 0);
    pid_t pid = fork();
    if (pid == 0) {
      _exit(lock_for_real(lock, 3600 * 1000 * MS));
    }
    _Atomic int *word = (_Atomic int *)&lock->__data.__lock;
    CHECK(until((*word & FUTEX_WAITERS) != 0 && thread_state(pid, pid) == 'S', 20000));
    *word = cases[i].word;
    int status;
    CHECK(until(waitpid(pid, &status, WNOHANG) == pid, 20000));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == cases[i].found);
  }
}

static void a_sigbus_that_was_sent_takes_its_course(void) {
  pid_t pid = fork();
  if (pid == 0) {
    signal(SIGBUS, SIG_DFL); /* a sanitizer has taken it */
    CHECK(gw_current("cpu") != NULL);
    raise(SIGBUS);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static const struct test_case cases[] = {
    {"fork gives a task of its own", fork_gives_a_task_of_its_own},
    {"a child does not keep its parent alive", a_childs_descriptor_does_not_keep_its_parent_alive},
    {"exit leaves", exit_leaves},
    {"exec loses the task", exec_loses_the_task},
    {"all descriptors closed", all_descriptors_closed},
    {"a lost row is replaced", a_lost_row_is_replaced},
    {"a reaped row comes back with its own priority", a_reaped_row_comes_back},
    {"a taken row comes back with its own priority", a_taken_row_comes_back},
    {"another SIGBUS reaches the program", other_sigbus_reaches_the_program},
    {"a stopped lock holder blocks nobody", a_stopped_lock_holder_blocks_nobody},
    {"a lost wake-up is noticed", a_lost_wake_up_is_noticed},
    {"a SIGBUS that was sent takes its course", a_sigbus_that_was_sent_takes_its_course},
};

RUN_CASES(cases, 240)
