/* What programs and people do to a process and to its page: the program goes on, ungated at worst.
 */
#include "harness.h"

#include <sys/resource.h>
#include <sys/syscall.h>

static char page_path[4096];

static void path_of_page(void) { CHECK(gw_page_path("cpu", page_path, sizeof page_path) == GW_OK); }

/* Runs in a fork whose stderr we read; gives how many lines it printed. */
static int lines_of(void (*program)(void), char *text, size_t size) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    program();
    _exit(0);
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t got; (got = read(ends[0], text + n, size - 1 - n)) > 0;) {
    n += (size_t)got;
  }
  text[n] = '\0';
  close(ends[0]);
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "program: status %x, said: %s\n", (unsigned)status, text);
    CHECK(!"the program went on");
  }
  int lines = 0;
  for (char *c = text; *c != '\0'; c++) {
    lines += *c == '\n';
  }
  return lines;
}

static void launch_some(void) {
  for (int i = 0; i < 100; i++) {
    gw_task *task = gw_current("cpu");
    gw_begin(task);
    gw_end(task);
    gw_idle(task);
  }
}

static void check_ungated_with(const char *why) {
  char text[8192];
  int lines = lines_of(launch_some, text, sizeof text);
  if (lines != 1 || strstr(text, why) == NULL || strncmp(text, "giveway: ", 9) != 0) {
    fprintf(stderr, "expected one line with '%s', got: %s\n", why, text);
    CHECK(!"one line that says why");
  }
}

static void make_page(void) {
  char text[8192];
  CHECK(lines_of(launch_some, text, sizeof text) == 0);
  path_of_page();
}

static void overwrite(size_t offset, const void *bytes, size_t size) {
  int fd = open(page_path, O_WRONLY);
  CHECK(fd >= 0 && pwrite(fd, bytes, size, (off_t)offset) == (ssize_t)size);
  close(fd);
}

static void truncated(void) {
  make_page();
  CHECK(truncate(page_path, 100) == 0);
  check_ungated_with("truncated");
  CHECK(truncate(page_path, 0) == 0);
  check_ungated_with("truncated");
}

static void zeroed(void) {
  make_page();
  CHECK(truncate(page_path, 0) == 0 && truncate(page_path, sizeof(struct gw_page_layout)) == 0);
  check_ungated_with("damaged");
}

static void random_bytes(void) {
  make_page();
  static unsigned char bytes[sizeof(struct gw_page_layout)];
  for (unsigned seed = 1; seed <= 20; seed++) {
    srand(seed);
    for (size_t i = 0; i < sizeof bytes; i++) {
      bytes[i] = (unsigned char)rand();
    }
    overwrite(0, bytes, sizeof bytes);
    check_ungated_with("damaged");
  }
}

/* The header is right and everything else is not: phantom tasks hold nobody. */
static void random_rows(void) {
  make_page();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  static unsigned char bytes[sizeof(struct gw_row) * GW_ROWS];
  for (unsigned seed = 1; seed <= 20; seed++) {
    srand(seed);
    for (size_t i = 0; i < sizeof bytes; i++) {
      bytes[i] = (unsigned char)(rand() & (seed % 2 ? 0xff : 3));
    }
    overwrite(offsetof(struct gw_page_layout, rows), bytes, sizeof bytes);
    uint32_t used = 0xffffffff;
    overwrite(offsetof(struct gw_header, rows_used), &used, sizeof used);
    char text[8192];
    CHECK(lines_of(launch_some, text, sizeof text) <= 1);
  }
}

static void damaged_lock(void) {
  make_page();
  unsigned char bytes[sizeof(pthread_mutex_t)];
  memset(bytes, 0xa5, sizeof bytes);
  overwrite(offsetof(struct gw_header, lock), bytes, sizeof bytes);
  check_ungated_with("lock");
}

static void another_version(void) {
  make_page();
  uint32_t version = GW_ABI_VERSION + 1;
  overwrite(offsetof(struct gw_header, abi_version), &version, sizeof version);
  check_ungated_with("another giveway version");
}

static void as_nobody(void) {
  if (geteuid() == 0) {
    CHECK(setgid(65534) == 0 && setuid(65534) == 0);
  }
}

static void launch_as_nobody(void) {
  as_nobody();
  launch_some();
}

static void read_only_file(void) {
  make_page();
  char directory[4096];
  snprintf(directory, sizeof directory, "%s", getenv("GIVEWAY_DIR"));
  CHECK(chmod(page_path, 0400) == 0);
  if (geteuid() == 0) {
    CHECK(chown(page_path, 65534, 65534) == 0 && chown(directory, 65534, 65534) == 0);
  }
  char text[8192];
  CHECK(lines_of(launch_as_nobody, text, sizeof text) == 1);
  CHECK(strstr(text, "cannot be opened") != NULL);
}

static void owned_by_somebody_else(void) {
  make_page();
  if (geteuid() != 0) {
    return; /* only root can give files away */
  }
  CHECK(chown(page_path, 65534, 65534) == 0);
  check_ungated_with("cannot be opened");
  CHECK(chown(page_path, 0, 0) == 0);
  CHECK(chown(getenv("GIVEWAY_DIR"), 65534, 65534) == 0);
  check_ungated_with("directory");
}

static void another_user_cannot_open_it(void) {
  make_page();
  struct stat s;
  CHECK(stat(page_path, &s) == 0 && (s.st_mode & 0777) == 0600);
  if (geteuid() == 0) {
    CHECK(chmod(getenv("GIVEWAY_DIR"), 0755) == 0);
    pid_t pid = fork();
    if (pid == 0) {
      as_nobody();
      _exit(open(page_path, O_RDONLY) < 0 && errno == EACCES ? 0 : 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  }
  unsetenv("GIVEWAY_DIR"); /* and the directory that we make ourselves */
  char path[4096];
  CHECK(gw_page_path("cpu", path, sizeof path) == GW_OK);
  CHECK(strncmp(path, "/dev/shm/giveway-", 17) == 0);
}

static void directory_cannot_be_made(void) {
  setenv("GIVEWAY_DIR", "/proc/giveway", 1);
  check_ungated_with("directory");
  setenv("GIVEWAY_DIR", "/dev/null/giveway", 1);
  check_ungated_with("directory");
}

static void writable_by_others(void) {
  CHECK(chmod(getenv("GIVEWAY_DIR"), 0777) == 0);
  check_ungated_with("directory");
}

static void no_room(void) {
  struct rlimit none = {0, 0}; /* stands for a full file system: posix_fallocate fails */
  signal(SIGXFSZ, SIG_IGN);
  CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
  char text[8192];
  CHECK(lines_of(launch_some, text, sizeof text) == 1);
}

static void page_full(void) {
  gw_page *page = open_page();
  for (unsigned i = 0; i < GW_ROWS; i++) {
    join(page, 0);
  }
  check_ungated_with("full");
}

/* ---- while it is in use
 * -------------------------------------------------------------------------- */

static void damage_in_use(void (*damage)(void), const char *why) {
  char text[8192];
  gw_task *task = gw_current("cpu");
  CHECK(task != NULL);
  path_of_page();
  int ends[2];
  CHECK(pipe(ends) == 0);
  dup2(ends[1], STDERR_FILENO);
  damage();
  for (int i = 0; i < 100; i++) {
    gw_begin(task);
    gw_end(task);
    gw_idle(task);
  }
  ssize_t n = read(ends[0], text, sizeof text - 1);
  text[n > 0 ? n : 0] = '\0';
  if (strstr(text, why) == NULL || strchr(text, '\n') != text + strlen(text) - 1) {
    dup2(STDOUT_FILENO, STDERR_FILENO);
    fprintf(stderr, "expected '%s', got '%s'\n", why, text);
    _exit(1);
  }
}

static void cut(void) { CHECK(truncate(page_path, 0) == 0); }
static void truncated_in_use(void) { damage_in_use(cut, "truncated"); }

static void scribble(void) {
  static unsigned char bytes[sizeof(struct gw_page_layout)];
  memset(bytes, 0x5a, sizeof bytes);
  overwrite(0, bytes, sizeof bytes);
}
static void random_bytes_in_use(void) { damage_in_use(scribble, "damaged"); }

static void wipe(void) {
  static unsigned char bytes[sizeof(struct gw_page_layout)];
  overwrite(0, bytes, sizeof bytes);
}
static void zeroed_in_use(void) { damage_in_use(wipe, "damaged"); }

/* A launch that is held when the page goes bad gets on. */
static void damaged_while_held(void (*damage)(void)) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  _Atomic uint64_t *launches = shared_memory(sizeof *launches);
  gw_task *high = join(open_page(), 10);
  gw_begin(high);
  path_of_page();
  pid_t pid = fork();
  if (pid == 0) {
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    gw_task *low = gw_current("cpu");
    for (;;) {
      gw_begin(low);
      gw_end(low);
      atomic_fetch_add(launches, 1);
    }
  }
  sleep_ms(100);
  CHECK(atomic_load(launches) == 0);
  damage();
  CHECK(eventually(launches, 100, 1000));
  kill(pid, SIGKILL);
}
static void truncated_while_held(void) { damaged_while_held(cut); }
static void scribbled_while_held(void) { damaged_while_held(scribble); }
static void wiped_while_held(void) { damaged_while_held(wipe); }

/* ---- processes
 * ----------------------------------------------------------------------------------- */

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

/* The child keeps its parent's descriptor, and yet the parent's death is seen. */
static void a_childs_descriptor_does_not_keep_its_parent_alive(void) {
  pid_t parent = fork();
  if (parent == 0) {
    CHECK(gw_current("cpu") != NULL);
    if (fork() == 0) {
      sleep_ms(5000);
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
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(gw_current("cpu") != NULL);
    execl("/bin/sleep", "sleep", "5", (char *)NULL);
    _exit(1);
  }
  struct gw_task_info infos[GW_ROWS];
  gw_page *page = open_page();
  int n = 1;
  for (int i = 0; i < 200 && (i < 20 || n != 0); i++) {
    sleep_ms(5);
    n = gw_tasks(page, infos, GW_ROWS);
  }
  CHECK(n == 0 && kill(pid, 0) == 0);
  kill(pid, SIGKILL);
}

/* A daemon closes every descriptor, ours too, and the number may become somebody else's file. */
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
    /* Whether or not somebody reaped the row in between, it has one now and holds its lock. */
    CHECK(info_of(task).active && info_of(task).ticket >= ticket);
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

/* A process that is stopped while it holds the page's lock costs others their gating for a moment.
 */
static void a_stopped_lock_holder_blocks_nobody(void) {
  gw_task *task = gw_current("cpu");
  struct gw_page_layout *raw = raw_page();
  pid_t pid = fork();
  if (pid == 0) {
    pthread_mutex_lock(&raw->header.lock);
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
  uint64_t start = now_ns();
  for (int i = 0; i < 1000; i++) {
    gw_begin(task);
    gw_end(task);
    gw_idle(task);
  }
  CHECK(now_ns() - start < 500 * MS);
  kill(pid, SIGKILL); /* dies with the lock: the next one gets it */
  CHECK(waitpid(pid, NULL, 0) == pid);
  sleep_ms(1100);
  gw_begin(task);
  CHECK(info_of(task).active);
}

static const struct test_case cases[] = {
    {"truncated", truncated},
    {"zeroed", zeroed},
    {"random bytes", random_bytes},
    {"random rows", random_rows},
    {"damaged lock", damaged_lock},
    {"another version", another_version},
    {"read-only file", read_only_file},
    {"owned by somebody else", owned_by_somebody_else},
    {"another user cannot open it", another_user_cannot_open_it},
    {"directory cannot be made", directory_cannot_be_made},
    {"directory writable by others", writable_by_others},
    {"no room", no_room},
    {"page full", page_full},
    {"truncated in use", truncated_in_use},
    {"random bytes in use", random_bytes_in_use},
    {"zeroed in use", zeroed_in_use},
    {"truncated while held", truncated_while_held},
    {"scribbled while held", scribbled_while_held},
    {"wiped while held", wiped_while_held},
    {"fork gives a task of its own", fork_gives_a_task_of_its_own},
    {"a child does not keep its parent alive", a_childs_descriptor_does_not_keep_its_parent_alive},
    {"exit leaves", exit_leaves},
    {"exec loses the task", exec_loses_the_task},
    {"all descriptors closed", all_descriptors_closed},
    {"a lost row is replaced", a_lost_row_is_replaced},
    {"another SIGBUS reaches the program", other_sigbus_reaches_the_program},
    {"a stopped lock holder blocks nobody", a_stopped_lock_holder_blocks_nobody},
};

RUN_CASES(cases, 20)
