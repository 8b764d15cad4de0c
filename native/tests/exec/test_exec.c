/* Programs that cannot load giveway's libraries start as children of a program that has them, by
 * every call that starts a program. Run with the libraries preloaded. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                       \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

static const char *program; /* the path of the child, for every way below */
static char *arguments[] = {"child", NULL};

/* Also by its name on PATH. */
static const char *file_name(void) { return strrchr(program, '/') + 1; }

static void by_execve(void) { execve(program, arguments, environ); }
static void by_execv(void) { execv(program, arguments); }
static void by_execvp(void) { execvp(file_name(), arguments); }
static void by_execvpe(void) { execvpe(file_name(), arguments, environ); }
static void by_execl(void) { execl(program, "child", NULL); }
static void by_execlp(void) { execlp(file_name(), "child", NULL); }
static void by_execle(void) { execle(program, "child", NULL, environ); }
static void by_fexecve(void) { fexecve(open(program, O_RDONLY), arguments, environ); }

static void by_execveat(void) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%.*s", (int)(file_name() - program), program);
  execveat(open(folder, O_PATH), file_name(), arguments, environ, 0);
}

static void by_execveat_of_nothing(void) {
  execveat(open(program, O_PATH), "", arguments, environ, AT_EMPTY_PATH);
}

static void by_vfork(void) {
  int status = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    execve(program, arguments, environ);
    _exit(99);
  }
  waitpid(pid, &status, 0);
  _exit(WEXITSTATUS(status));
}

static void spawned(pid_t pid, int error) {
  int status = 0;
  CHECK(error == 0 && waitpid(pid, &status, 0) == pid);
  _exit(WEXITSTATUS(status));
}

static void by_posix_spawn(void) {
  pid_t pid;
  spawned(pid, posix_spawn(&pid, program, NULL, NULL, arguments, environ));
}

static void by_posix_spawnp(void) {
  pid_t pid;
  spawned(pid, posix_spawnp(&pid, file_name(), NULL, NULL, arguments, environ));
}

static void (*const ways[])(void) = {
    by_execve, by_execv,       by_execvp,       by_execvpe,  by_execl,
    by_execlp, by_execle,      by_fexecve,      by_execveat, by_execveat_of_nothing,
    by_vfork,  by_posix_spawn, by_posix_spawnp,
};

/* The exit code of a child; what it printed goes to `output`. */
static int run(void (*way)(void), char *output, size_t size) {
  int ends[2], status;
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    way();
    _exit(98);
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t more = 1; more > 0 && n < size - 1; n += (size_t)more) {
    more = read(ends[0], output + n, size - 1 - n);
    CHECK(more >= 0);
  }
  output[n] = 0;
  close(ends[0]);
  CHECK(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *what, const char *path, const char *preloaded) {
  program = path;
  for (size_t n = 0; n < sizeof ways / sizeof *ways; n++) {
    char output[4096];
    int code = run(ways[n], output, sizeof output);
    if (code != 0 || strcmp(output, preloaded) != 0) {
      printf("%s, way %zu: exit code %d, preloaded: %s\n", what, n, code, output);
      exit(1);
    }
  }
}

static char *write_script(const char *folder, const char *name, const char *interpreter) {
  char *path;
  CHECK(asprintf(&path, "%s/%s", folder, name) > 0);
  FILE *file = fopen(path, "w");
  CHECK(file != NULL && fprintf(file, "#!%s\n", interpreter) > 0 && fclose(file) == 0);
  CHECK(chmod(path, 0755) == 0);
  return path;
}

int main(void) {
  char folder[] = "/tmp/giveway-exec-XXXXXX", *path;
  CHECK(mkdtemp(folder) != NULL);
  CHECK(asprintf(&path, "%s::%s:%s", folder, FOLDER, getenv("PATH")) > 0);
  CHECK(setenv("PATH", path, 1) == 0);
  const char *ours = getenv("LD_PRELOAD");
  CHECK(ours != NULL && strstr(ours, "libgiveway-exec.so") != NULL);

  char *script = write_script(folder, "script", FOREIGN);
  char *nested = write_script(folder, "nested", script);
  expect("a program of another C library", FOREIGN, "");
  expect("its script", script, "");
  expect("a script whose interpreter is a script", nested, "");
  expect("a program with AddressSanitizer", ASAN_PROGRAM, "");
  expect("a program that can load them", PLAIN, ours);

  /* Whatever else is preloaded stays, in its order. */
  char *mixed;
  CHECK(asprintf(&mixed, "/no/one.so:%s /no/two.so", ours) > 0);
  CHECK(setenv("LD_PRELOAD", mixed, 1) == 0);
  expect("a program with other libraries", FOREIGN, "/no/one.so:/no/two.so");

  /* The user preloads AddressSanitizer's runtime: it comes first, and children are gated. */
  char *before, *behind;
  CHECK(asprintf(&before, "%s:%s", ours, ASAN_RUNTIME) > 0);
  CHECK(asprintf(&behind, "%s:%s", ASAN_RUNTIME, ours) > 0);
  CHECK(setenv("LD_PRELOAD", before, 1) == 0);
  expect("a program under AddressSanitizer", PLAIN, behind);
  expect("a program with AddressSanitizer, preloaded", ASAN_PROGRAM, behind);

  /* A user who has switched the check off has them gated. */
  CHECK(setenv("LD_PRELOAD", ours, 1) == 0);
  CHECK(setenv("ASAN_OPTIONS", "a=b:verify_asan_link_order=0", 1) == 0);
  expect("a program that does not check", ASAN_PROGRAM, ours);

  for (char *const *each = (char *const[]){script, nested, NULL}; *each != NULL; each++) {
    unlink(*each);
  }
  rmdir(folder);
}
