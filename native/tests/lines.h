/* The lines that a program under giveway prints. */
#ifndef GIVEWAY_TEST_LINES_H
#define GIVEWAY_TEST_LINES_H

#include "harness.h"

/* Runs the function in a fork, and returns the number of lines that it printed on stderr. */
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

/* Why: a part of the only line; NULL: the program prints none. */
static void check_says(void (*program)(void), const char *why) {
  char text[8192];
  int lines = lines_of(program, text, sizeof text);
  bool as_expected =
      why == NULL ? lines == 0
                  : lines == 1 && strstr(text, why) != NULL && strncmp(text, "giveway: ", 9) == 0;
  if (!as_expected) {
    fprintf(stderr, "expected one line with '%s', got: %s\n", why != NULL ? why : "none", text);
    CHECK(!"what the program says");
  }
}

#endif
