/* Runs a program under GIVEWAY_TRACE and reads its report. The shim reads the environment when it
 * is loaded, so the program is the test itself, started again with an argument. */
#ifndef GIVEWAY_TEST_TRACE_HARNESS_H
#define GIVEWAY_TEST_TRACE_HARNESS_H

#include <dirent.h>

#include "harness.h"

static char *trace_of(const char *events) {
  static char text[65536];
  char folder[4096], self[4096];
  snprintf(folder, sizeof folder, "%s/trace", getenv("GIVEWAY_DIR"));
  CHECK(mkdir(folder, 0700) == 0);
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  CHECK(length > 0);
  self[length] = '\0';
  pid_t pid = fork();
  if (pid == 0) {
    setenv("GIVEWAY_TRACE", folder, 1);
    setenv("GIVEWAY_TRACE_EVENTS", events, 1);
    setenv("GIVEWAY_NAME", "traced", 1);
    execl(self, self, "program", NULL);
    _exit(127);
  }
  int status = -1;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  DIR *directory = opendir(folder);
  int files = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] != '.') {
      int fd = openat(dirfd(directory), entry->d_name, O_RDONLY);
      ssize_t n = read(fd, text, sizeof text - 1);
      CHECK(n > 0);
      text[n] = '\0';
      unlinkat(dirfd(directory), entry->d_name, 0);
      files++;
    }
  }
  closedir(directory);
  rmdir(folder);
  CHECK(files == 1);
  return text;
}

static void says(const char *text, const char *what) {
  if (strstr(text, what) == NULL) {
    fprintf(stderr, "expected %s in:\n%s\n", what, text);
    CHECK(!"the trace says so");
  }
}

#endif
