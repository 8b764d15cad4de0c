/* A page that the members of a group share. Needs root, who can be any user. */
#include <grp.h>

#include "lines.h"
#include "program.h"

enum { GROUP = 61000, FIRST, SECOND, STRANGER };
static char page_path[4096];

static void become(uid_t user) {
  gid_t group = GROUP;
  CHECK(setgroups(user == STRANGER ? 0 : 1, &group) == 0);
  CHECK(setgid(user) == 0 && setuid(user) == 0);
}

static void share(void) {
  setenv("GIVEWAY_SHARED", "61000", 1);
  CHECK(gw_page_path("cpu", page_path, sizeof page_path) == GW_OK);
}

static void as_first(void) {
  become(FIRST);
  launch_some();
}

static void as_second(void) {
  become(SECOND);
  launch_some();
}

static void as_stranger(void) {
  become(STRANGER);
  launch_some();
}

static struct stat status_of(const char *path) {
  struct stat s;
  CHECK(lstat(path, &s) == 0);
  return s;
}

/* The folder is made by the first program, with the strictest umask. */
static void the_folder_and_the_page_are_of_the_group(void) {
  CHECK(rmdir(getenv("GIVEWAY_DIR")) == 0);
  umask(077);
  share();
  check_says(as_first, NULL);
  struct stat folder = status_of(getenv("GIVEWAY_DIR")), page = status_of(page_path);
  CHECK((folder.st_mode & 07777) == 02770 && folder.st_gid == GROUP && folder.st_uid == FIRST);
  CHECK((page.st_mode & 07777) == 0660 && page.st_gid == GROUP && page.st_uid == FIRST);
  check_says(as_second, NULL);
  CHECK(status_of(page_path).st_ino == page.st_ino);
}

/* Returns once the first member's program is active; steps is 1 from then on. */
static pid_t start_urgent(_Atomic uint64_t *steps) {
  pid_t urgent = fork();
  if (urgent == 0) {
    keep_active();
    become(FIRST);
    gw_begin(join(open_page(), 10));
    atomic_store(steps, 1);
    pause();
  }
  CHECK(eventually(steps, 0, 60000));
  return urgent;
}

static void members_hold_each_other(void) {
  CHECK(rmdir(getenv("GIVEWAY_DIR")) == 0);
  share();
  _Atomic uint64_t *steps = shared_memory(sizeof *steps);
  start_urgent(steps);
  pid_t low = fork();
  if (low == 0) {
    become(SECOND);
    gw_task *task = join(open_page(), 0);
    atomic_store(steps, 2);
    gw_begin(task);
    atomic_store(steps, 3);
    _exit(0);
  }
  CHECK(eventually(steps, 1, 60000));
  pid_t observer = fork();
  if (observer == 0) {
    become(SECOND);
    _exit(somebody_waits("cpu") && atomic_load(steps) == 2 ? 0 : 1);
  }
  int status;
  CHECK(waitpid(observer, &status, 0) == observer && status == 0);
}

static void a_killed_member_holds_nobody(void) {
  CHECK(rmdir(getenv("GIVEWAY_DIR")) == 0);
  share();
  pid_t urgent = start_urgent(shared_memory(sizeof(_Atomic uint64_t)));
  CHECK(kill(urgent, SIGKILL) == 0 && waitpid(urgent, NULL, 0) == urgent);
  check_says(as_second, NULL);
}

static void only_members_share(void) {
  CHECK(rmdir(getenv("GIVEWAY_DIR")) == 0);
  share();
  check_says(as_stranger, "not a member");
  CHECK(access(getenv("GIVEWAY_DIR"), F_OK) != 0);
  check_says(as_first, NULL);
  pid_t pid = fork();
  if (pid == 0) {
    become(STRANGER);
    _exit(open(page_path, O_RDONLY) < 0 && errno == EACCES ? 0 : 1);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void groups_are_found_by_name(void) {
  struct group *known = getgrgid(0);
  setenv("GIVEWAY_SHARED", known->gr_name, 1);
  unsetenv("GIVEWAY_DIR");
  char path[4096];
  CHECK(gw_page_path("cpu", path, sizeof path) == GW_OK);
  CHECK(strcmp(path, "/dev/shm/giveway-group-0/cpu.page") == 0);
  char cut[64];
  snprintf(cut, sizeof cut, "%.*s", (int)strlen(known->gr_name) - 1, known->gr_name);
  const char *unknown[] = {cut, "no-such-group", "-1", "4294967295", "99999999999999999999", ":"};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    setenv("GIVEWAY_SHARED", unknown[i], 1);
    check_says(launch_some, "names no group");
  }
  setenv("GIVEWAY_SHARED", "", 1);
  CHECK(gw_page_path("cpu", path, sizeof path) == GW_OK);
  CHECK(strcmp(path, "/dev/shm/giveway-0/cpu.page") == 0);
}

static void wrong_permissions_are_not_corrected(void) {
  const char *folder = getenv("GIVEWAY_DIR");
  share();
  check_says(as_first, "of mode 2770"); /* one user's folder */
  CHECK(chown(folder, FIRST, GROUP) == 0);
  const mode_t wrong[] = {0770, 02750, 02777, 02771};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CHECK(chmod(folder, wrong[i]) == 0);
    check_says(as_first, "of mode 2770");
  }
  CHECK(chown(folder, FIRST, FIRST) == 0 && chmod(folder, 02770) == 0);
  check_says(as_first, "of mode 2770"); /* the trap of somebody who is no member */
  CHECK(chown(folder, FIRST, GROUP) == 0 && chmod(folder, 02770) == 0);
  check_says(as_first, NULL);
  CHECK(chmod(page_path, 0666) == 0);
  check_says(as_second, "cannot be opened");
  CHECK(chmod(page_path, 0660) == 0 && chown(page_path, FIRST, FIRST) == 0);
  check_says(as_first, "cannot be opened");
}

static void a_shared_page_is_no_page_of_one_user(void) {
  const char *folder = getenv("GIVEWAY_DIR");
  CHECK(chown(folder, FIRST, GROUP) == 0 && chmod(folder, 02770) == 0);
  check_says(as_first, "of this user alone");
}

static const struct test_case cases[] = {
    {"the folder and the page are of the group", the_folder_and_the_page_are_of_the_group},
    {"members hold each other", members_hold_each_other},
    {"a killed member holds nobody", a_killed_member_holds_nobody},
    {"only members share", only_members_share},
    {"groups are found by name", groups_are_found_by_name},
    {"wrong permissions are not corrected", wrong_permissions_are_not_corrected},
    {"a shared page is no page of one user", a_shared_page_is_no_page_of_one_user},
};

int main(void) {
  if (geteuid() != 0) {
    printf("skipped: only root can become two users\n");
    return 77;
  }
  int failed = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    failed += run_case(&cases[i], 240);
  }
  return failed != 0;
}
