/* A page that users damage, before programs use it and meanwhile: programs go on, ungated at worst.
 */
#include "lines.h"
#include "program.h"

#include <sys/resource.h>
#include <sys/syscall.h>

static char page_path[4096];

static void path_of_page(void) { CHECK(gw_page_path("cpu", page_path, sizeof page_path) == GW_OK); }

static void check_ungated_with(const char *why) { check_says(launch_some, why); }

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

/* A page with a valid header and nonsense behind it: phantom tasks hold no task. */
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

/* A program of another version: it has a row. */
static void another_version(void) {
  make_page();
  int ends[2];
  char byte;
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    launch_some();
    CHECK(write(ends[1], "", 1) == 1);
    pause();
  }
  CHECK(read(ends[0], &byte, 1) == 1);
  uint32_t version = GW_ABI_VERSION + 1;
  overwrite(offsetof(struct gw_header, abi_version), &version, sizeof version);
  check_ungated_with("another giveway version");
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static void left_by_another_version(void) {
  make_page();
  uint32_t version = GW_ABI_VERSION - 1;
  overwrite(offsetof(struct gw_header, abi_version), &version, sizeof version);
  CHECK(truncate(page_path, 8192) == 0); /* whose pages were smaller */
  gw_page *page;
  CHECK(gw_page_open("cpu", 0, &page) == GW_E_NO_PAGE);
  make_page();
  CHECK(gw_page_open("cpu", 0, &page) == GW_OK);
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

static void launch_silently(gw_task *task) {
  CHECK(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) >= 0);
  gw_begin(task);
  gw_end(task);
}

/* A launch that is held when the page becomes damaged goes on after a look. */
static void damaged_while_held(void (*damage)(void)) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  gw_task *high = join(open_page(), 10);
  gw_begin(high);
  path_of_page();
  struct program *low = start_program(0);
  ask(low, launch_silently);
  CHECK(!finished(low));
  damage();
  clock_advance(15 * MS);
  CHECK(until(finished(low), 60000));
  for (int i = 0; i < 100; i++) {
    ask(low, launch_silently);
    CHECK(finished(low));
  }
}
static void truncated_while_held(void) { damaged_while_held(cut); }
static void scribbled_while_held(void) { damaged_while_held(scribble); }
static void wiped_while_held(void) { damaged_while_held(wipe); }

static void unlink_page(void) { CHECK(unlink(page_path) == 0); }
static void deleted_in_use(void) { damage_in_use(unlink_page, "deleted"); }
static void deleted_while_held(void) { damaged_while_held(unlink_page); }

/* A warning to a closed pipe must not end the program. */
static void nobody_reads_the_warning(void) {
  setenv("GIVEWAY_DIR", "/proc/giveway", 1);
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    signal(SIGPIPE, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    launch_some();
    _exit(0);
  }
  close(ends[0]);
  close(ends[1]);
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static const struct test_case cases[] = {
    {"truncated", truncated},
    {"zeroed", zeroed},
    {"random bytes", random_bytes},
    {"random rows", random_rows},
    {"damaged lock", damaged_lock},
    {"another version", another_version},
    {"left by another version", left_by_another_version},
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
    {"deleted in use", deleted_in_use},
    {"deleted while held", deleted_while_held},
    {"nobody reads the warning", nobody_reads_the_warning},
};

RUN_CASES(cases, 240)
