/* Who has a row: how the death of a process shows, and what becomes of a task whose row is gone. */
#include <linux/futex.h>
#include <sched.h>
#include <spawn.h>
#include <sys/stat.h>

#include "../../gate/clock.h"
#include "../../gate/rule.h"
#include "program.h"

static struct gw_row *row_of(gw_task *task) { return &raw_page()->rows[info_of(task).row]; }

static unsigned tasks_on(const char *device) {
  static struct gw_task_info infos[GW_ROWS];
  gw_page *page;
  CHECK(gw_page_open(device, 0, &page) == GW_OK);
  int n = gw_tasks(page, infos, GW_ROWS);
  CHECK(n >= 0);
  return (unsigned)n;
}

/* ---- the death of a process ----------------------------------------------------------------- */

static void join_two_pages(void) {
  gw_page *pages[2];
  CHECK(gw_page_open("cpu", 1, &pages[0]) == GW_OK && gw_page_open("other", 1, &pages[1]) == GW_OK);
  for (int i = 0; i < 6; i++) {
    join(pages[i % 2], i);
  }
}

static void a_dead_process_is_marked_by_the_kernel(void) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    join_two_pages();
    raise(SIGKILL);
  }
  siginfo_t info;
  CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
  struct gw_page_layout *raw[] = {raw_page_of("cpu"), raw_page_of("other")};
  for (int i = 0; i < 6; i++) {
    struct gw_row *row = &raw[i % 2]->rows[i / 2];
    CHECK(row->state == GW_IDLE && row->holder == FUTEX_OWNER_DIED);
  }
  CHECK(tasks_on("cpu") == 0 && tasks_on("other") == 0);
}

/* A row that is given back, and a row that is taken, between others in the kernel's list. */
static void rows_come_and_go(void) {
  gw_page *page = open_page();
  gw_task *tasks[5];
  for (int i = 0; i < 5; i++) {
    tasks[i] = join(page, i);
  }
  struct gw_row *rows = raw_page()->rows;
  uint32_t keeper = rows[0].holder;
  gw_leave(tasks[0]);
  gw_leave(tasks[2]);
  gw_leave(tasks[4]);
  CHECK(rows[0].holder == 0 && rows[2].holder == 0 && rows[4].holder == 0);
  join(page, 7);
  CHECK(rows[0].holder == keeper && rows[1].holder == keeper && rows[2].holder == 0);
}

static void a_killed_process_leaves_no_row(void) {
  pid_t pid = fork();
  if (pid == 0) {
    rows_come_and_go();
    raise(SIGKILL);
  }
  CHECK(waitpid(pid, NULL, 0) == pid);
  struct gw_row *rows = (open_page(), raw_page()->rows);
  CHECK(rows[0].holder == FUTEX_OWNER_DIED && rows[1].holder == FUTEX_OWNER_DIED);
  CHECK(rows[2].holder == 0 && rows[3].holder == FUTEX_OWNER_DIED && rows[4].holder == 0);
}

static void a_row_names_the_namespace_of_its_pid(void) {
  struct stat own;
  CHECK(stat("/proc/self/ns/pid", &own) == 0);
  gw_task *task = join(open_page(), 0);
  CHECK(info_of(task).pid == (uint32_t)getpid() && info_of(task).pid_namespace == own.st_ino);
}

/* Neither the end of a thread that joined, nor of one that forked or spawned, ends the process. */
static void *join_and_end(void *task) {
  *(gw_task **)task = join(open_page(), 0);
  return NULL;
}

static void only_the_end_of_the_process_counts(void) {
  gw_task *task;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, join_and_end, &task) == 0 && pthread_join(thread, NULL) == 0);
  pid_t child = fork();
  if (child == 0) {
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
  char *arguments[] = {"true", NULL};
  CHECK(posix_spawnp(&child, "true", NULL, NULL, arguments, NULL) == 0); /* vfork and exec */
  CHECK(waitpid(child, NULL, 0) == child);
  CHECK(tasks_on("cpu") == 1 && info_of(task).mine);
}

static void garbage_is_nobody(void) {
  gw_task *task = join(open_page(), 0);
  const uint32_t words[] = {0, FUTEX_OWNER_DIED, FUTEX_OWNER_DIED | 5, UINT32_MAX, 0x5a5a5a5a};
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
    struct gw_row *phantom = &raw_page()->rows[1];
    atomic_store(&raw_page()->header.rows_used, 2);
    atomic_store(&phantom->ticket, 77);
    atomic_store(&phantom->priority, 10);
    atomic_store(&phantom->state, GW_ACTIVE);
    atomic_store(&phantom->holder, words[i]);
    CHECK(tasks_on("cpu") == 1);
  }
  CHECK(!info_of(task).gate_closed);
}

/* ---- one page ------------------------------------------------------------------------------- */

static void a_second_path_leads_to_the_same_page(void) {
  gw_page *page = open_page(), *again;
  gw_task *task = join(page, 0);
  char path[4096];
  snprintf(path, sizeof path, "%s/.//", getenv("GIVEWAY_DIR"));
  setenv("GIVEWAY_DIR", path, 1);
  CHECK(gw_page_open("cpu", 0, &again) == GW_OK && again == page);
  pid_t pid = fork();
  if (pid == 0) {
    _exit(tasks_on("cpu") == 1 ? 0 : 1);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  CHECK(info_of(task).ticket == 1);
}

static void a_page_that_is_made_again_is_another(void) {
  gw_page *old = open_page(), *fresh;
  gw_task *task = join(old, 0);
  char path[4096];
  CHECK(gw_page_path("cpu", path, sizeof path) == GW_OK && unlink(path) == 0);
  CHECK(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) >= 0);
  CHECK(gw_page_open("cpu", 1, &fresh) == GW_OK && fresh != old);
  CHECK(gw_page_check(old) == GW_E_DELETED && gw_page_check(fresh) == GW_OK);
  join(fresh, 0);
  gw_leave(task); /* whose page is gone */
  CHECK(tasks_on("cpu") == 1);
}

/* A page on a disk is from before the machine was started. */
static void a_page_of_another_boot_is_made_again(void) {
  pid_t pid = fork();
  if (pid == 0) {
    join(open_page(), 0);
    struct gw_page_layout *raw = raw_page();
    atomic_fetch_xor(&raw->header.boot, 1);
    _exit(0);
  }
  CHECK(waitpid(pid, NULL, 0) == pid);
  struct gw_page_layout *old = raw_page();
  atomic_store(&old->rows[0].holder, 1); /* as where the machine went down at once */
  join(open_page(), 0);
  CHECK(tasks_on("cpu") == 1 && raw_page()->header.boot == (old->header.boot ^ 1));
}

/* ---- a row that is lost --------------------------------------------------------------------- */

/* The row is freed, and another task takes it. */
static void take_away(struct gw_row *row) {
  atomic_store(&row->ticket, 1u << 20);
  atomic_store(&row->state, GW_IDLE);
  atomic_store(&row->priority, 5);
}

static void begin(gw_task *task) { gw_begin(task); }

static gw_task *high;

/* A held thread, and another thread of its task. */
static gw_task *start_held(struct program **held, struct program **other) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  high = join(open_page(), 10);
  gw_begin(high);
  gw_task *low = join(open_page(), 0);
  *held = start_thread(low);
  *other = start_thread(low);
  ask(*held, begin);
  CHECK(!finished(*held));
  return low;
}

/* The held thread sleeps on the old row, whose gate is open by then. */
static void a_held_thread_goes_on_after_another_one_rejoins(void) {
  struct program *held, *other;
  gw_task *low = start_held(&held, &other);
  uint64_t ticket = info_of(low).ticket;
  struct gw_row *old = row_of(low);
  take_away(old);
  ask(other, begin);
  CHECK(!finished(other) && info_of(low).ticket > ticket && info_of(low).gate_closed);
  atomic_store(&old->gate, GW_OPEN);
  clock_advance(15 * MS);
  CHECK(until(finished(held), 60000));
  clock_advance(1000 * MS);
  CHECK(!finished(other)); /* the new row's gate still holds */
  gw_end(high);
  gw_idle(high);
  CHECK(until(finished(other), 60000));
}

static void threads_at_a_gate_are_woken_when_its_row_is_freed(void) {
  struct program *held, *other;
  gw_task *low = start_held(&held, &other);
  gw_row_free(&raw_page()->rows[info_of(low).row]);
  CHECK(until(finished(held), 60000));
}

/* Whatever happens to the count of sleepers, which observers see, a transition wakes them. */
static void a_held_launch_is_woken_whatever_the_page_counts(void) {
  struct program *held, *other;
  gw_task *low = start_held(&held, &other);
  atomic_store(&row_of(low)->waiters, 0);
  gw_end(high);
  gw_idle(high);
  CHECK(until(finished(held), 60000));
}

/* ---- refused -------------------------------------------------------------------------------- */

static gw_task *filler[GW_ROWS];

static void fill_page(void) {
  clock_stop();
  for (unsigned i = 0; i < GW_ROWS; i++) {
    filler[i] = join(open_page(), 0);
  }
}

static unsigned lines_printed(int from) {
  char text[8192];
  ssize_t n = read(from, text, sizeof text);
  unsigned lines = 0;
  for (ssize_t i = 0; i < n; i++) {
    lines += text[i] == '\n';
  }
  return lines;
}

static int catch_lines(void) {
  int ends[2];
  CHECK(pipe2(ends, O_NONBLOCK) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
  return ends[0];
}

static void a_process_that_was_refused_joins_when_there_is_room(void) {
  fill_page();
  int lines = catch_lines();
  CHECK(gw_current("cpu") == NULL && lines_printed(lines) == 1);
  clock_advance(5000 * MS);
  CHECK(gw_current("cpu") == NULL);
  gw_leave(filler[3]);
  clock_advance(1000 * MS - 1);
  CHECK(gw_current("cpu") == NULL);
  clock_advance(1);
  CHECK(gw_current("cpu") != NULL && info_of(gw_current("cpu")).row == 3);
  CHECK(lines_printed(lines) == 0);
}

static void a_thread_that_was_refused_joins_when_there_is_room(void) {
  fill_page();
  int lines = catch_lines();
  gw_own *own;
  gw_set_hooked("cpu", gw_peek); /* so that the thread joins at its launch */
  CHECK(gw_enter("cpu", "thread", 5, &own) == GW_OK);
  CHECK(gw_thread_task(open_page(), filler[0]) == filler[0] && lines_printed(lines) == 1);
  gw_leave(filler[3]);
  CHECK(gw_thread_task(open_page(), filler[0]) == filler[0]);
  clock_advance(1000 * MS);
  CHECK(info_of(gw_thread_task(open_page(), filler[0])).priority == 5);
  CHECK(lines_printed(lines) == 0);
}

static void a_task_that_lost_its_row_on_a_full_page_takes_another_later(void) {
  fill_page();
  int lines = catch_lines();
  take_away(row_of(filler[3]));
  atomic_store(&raw_page()->rows[3].holder, filler[3] != NULL); /* process 1 is alive */
  gw_begin(filler[3]);
  gw_end(filler[3]);
  CHECK(lines_printed(lines) == 1);
  gw_leave(filler[7]);
  clock_advance(1000 * MS);
  gw_begin(filler[3]);
  CHECK(info_of(filler[3]).row == 7 && info_of(filler[3]).active);
  CHECK(lines_printed(lines) == 0);
}

/* ---- other namespaces ------------------------------------------------------------------------ */

/* Children to come are in a time namespace whose clock is 100000 s ahead; this process is not. */
static void times_are_the_same_in_every_time_namespace(void) {
  const char offsets[] = "monotonic 100000 5\n";
  gw_time();
  int fd = unshare(CLONE_NEWTIME) == 0 ? open("/proc/self/timens_offsets", O_WRONLY) : -1;
  if (fd < 0 || write(fd, offsets, sizeof offsets - 1) < 0) {
    printf("no time namespaces can be made here: ");
    return;
  }
  uint64_t here = gw_monotonic();
  pid_t pid = fork();
  if (pid == 0) {
    uint64_t child = gw_monotonic();
    CHECK(child - here > 100000 * 1000 * MS && gw_time() != 0);
    CHECK(gw_clock_ahead_ns == INT64_C(100000000000005));
    pid_t grandchild = fork();
    if (grandchild == 0) {
      _exit(gw_time() != 0 && gw_clock_ahead_ns == INT64_C(100000000000005) ? 0 : 1);
    }
    int status;
    CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  CHECK(gw_time() != 0 && gw_clock_ahead_ns == 0);
}

static const struct test_case cases[] = {
    {"a dead process is marked by the kernel", a_dead_process_is_marked_by_the_kernel},
    {"rows come and go", rows_come_and_go},
    {"a killed process leaves no row", a_killed_process_leaves_no_row},
    {"only the end of the process counts", only_the_end_of_the_process_counts},
    {"a row names the namespace of its pid", a_row_names_the_namespace_of_its_pid},
    {"garbage is nobody", garbage_is_nobody},
    {"a second path leads to the same page", a_second_path_leads_to_the_same_page},
    {"a page that is made again is another", a_page_that_is_made_again_is_another},
    {"a page of another boot is made again", a_page_of_another_boot_is_made_again},
    {"a held thread goes on after another rejoins",
     a_held_thread_goes_on_after_another_one_rejoins},
    {"threads at a gate are woken when its row is freed",
     threads_at_a_gate_are_woken_when_its_row_is_freed},
    {"a held launch is woken, whatever is counted",
     a_held_launch_is_woken_whatever_the_page_counts},
    {"a process that was refused joins later", a_process_that_was_refused_joins_when_there_is_room},
    {"a thread that was refused joins later", a_thread_that_was_refused_joins_when_there_is_room},
    {"a task that lost its row on a full page",
     a_task_that_lost_its_row_on_a_full_page_takes_another_later},
    {"times are the same in every time namespace", times_are_the_same_in_every_time_namespace},
};

RUN_CASES(cases, 240)
