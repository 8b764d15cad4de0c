#include "warn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Thread_local int last_errno;
static atomic_flag warned = ATOMIC_FLAG_INIT;

int gw_fail(int error, int system_error) {
  last_errno = system_error;
  return error;
}

int gw_error_errno(void) { return last_errno; }

const char *gw_error_text(int error) {
  switch (error) {
  case GW_OK:
    return "no error";
  case GW_E_DIRECTORY:
    return "the page directory cannot be made, or is not a directory of this user alone";
  case GW_E_ACCESS:
    return "the gate page cannot be opened for reading and writing";
  case GW_E_SPACE:
    return "no room for the gate page";
  case GW_E_SIZE:
    return "the gate page was truncated";
  case GW_E_MAGIC:
    return "the gate page is damaged";
  case GW_E_VERSION:
    return "the gate page belongs to another giveway version";
  case GW_E_FULL:
    return "the gate page is full: 256 tasks run on this device";
  case GW_E_LOCK:
    return "the gate page's lock is damaged, or a stopped process has it";
  case GW_E_NO_PAGE:
    return "no gate page: nothing has run under giveway on this device";
  case GW_E_NO_TASK:
    return "no such task";
  case GW_E_ARGUMENT:
    return "priority outside -1000...1000 or bad device name";
  case GW_E_DELETED:
    return "the gate page was deleted while in use";
  case GW_E_TAKEN:
    return "another process decides about this device's gates";
  case GW_E_NO_GROUP:
    return "GIVEWAY_SHARED names no group of this machine";
  case GW_E_NOT_A_MEMBER:
    return "this user is not a member of the group that GIVEWAY_SHARED names";
  case GW_E_NOT_SHARED:
    return "the page directory is not of mode 2770 and of the group that GIVEWAY_SHARED names";
  case GW_E_RESOURCES:
    return "out of memory, threads or file descriptors";
  default:
    return "unknown error";
  }
}

/* Uses write, so that the program's buffered stderr stays unchanged. A closed pipe as stderr must
 * not end the program, so a SIGPIPE is blocked and removed. */
static void write_line(const char *line, size_t size) {
  int saved = errno;
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  if (write(STDERR_FILENO, line, size) < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE)) {
    sigtimedwait(&pipe, NULL, &(struct timespec){0, 0});
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = saved;
}

void gw_warn(const char *text) {
  if (atomic_flag_test_and_set(&warned)) {
    return;
  }
  char line[PATH_MAX + 256];
  int n = snprintf(line, sizeof line, "giveway: %s; see 'giveway doctor'\n", text);
  if (n > 0) {
    write_line(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
  }
}

void gw_warn_ungated(int error, const char *path) {
  int code = last_errno;
  char text[PATH_MAX + 128], buffer[64];
  const char *end = strrchr(path, '.');
  bool job = end != NULL && strcmp(end, ".job") == 0;
  snprintf(text, sizeof text, "%s: %s (%s%s%s)", job ? "out of the job" : "running ungated",
           gw_error_text(error), path, code ? ": " : "",
           code ? strerror_r(code, buffer, sizeof buffer) : "");
  gw_warn(text);
}

int gw_page_distrust(struct gw_page *page, int error) {
  int none = 0;
  if (atomic_compare_exchange_strong(&page->broken, &none, error)) {
    gw_warn_ungated(error, page->path);
  }
  return error;
}
