/* Lets children start that cannot load giveway's libraries. The calls that start a program pass
 * through here, and the program gets an environment that it can bear. They may run in a child of
 * vfork: no memory is allocated, no lock taken, nothing written but the stack and errno.
 * docs/decisions/0026-children.md has the reasons. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

#define EXPORT __attribute__((visibility("default")))

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *,
                           const posix_spawnattr_t *, char *const[], char *const[]);

/* The functions that stand behind ours, usually those of the C library. */
static struct {
  int (*execve)(const char *, char *const[], char *const[]);
  int (*execvpe)(const char *, char *const[], char *const[]);
  int (*fexecve)(int, char *const[], char *const[]);
  spawn_function *posix_spawn, *posix_spawnp;
} real;

__attribute__((constructor)) static void find_real(void) {
  real.execve = dlsym(RTLD_NEXT, "execve");
  real.execvpe = dlsym(RTLD_NEXT, "execvpe");
  real.fexecve = dlsym(RTLD_NEXT, "fexecve");
  real.posix_spawn = dlsym(RTLD_NEXT, "posix_spawn");
  real.posix_spawnp = dlsym(RTLD_NEXT, "posix_spawnp");
}

/* A constructor of another library may start a program before ours has run. */
static void find_real_once(void) {
  if (real.execve == NULL) {
    find_real();
  }
}

/* One request to start a program; each kind uses its own members. */
struct request {
  int (*start)(const struct request *, char *const environment[]);
  spawn_function *spawn;
  const char *path;
  char *const *arguments;
  int fd, flags;
  pid_t *pid;
  const posix_spawn_file_actions_t *actions;
  const posix_spawnattr_t *attributes;
};

static int start_changed(const struct request *request, const struct gw_plan *plan) {
  char *environment[plan->variables + 1];
  char text[strlen(plan->preload) + 1];
  gw_plan_write(plan, environment, text);
  return request->start(request, environment);
}

static int start(const struct request *request, char *const environment[],
                 enum gw_target (*find_target)(const struct request *)) {
  find_real_once();
  struct gw_plan plan = gw_plan_of(environment);
  if (plan.preload != NULL) {
    plan.change = gw_plan_change(&plan, find_target(request));
  }
  return plan.change == GW_KEEP ? request->start(request, environment)
                                : start_changed(request, &plan);
}

static enum gw_target at_path(const struct request *request) {
  return request->path ? gw_target_of(AT_FDCWD, request->path) : GW_TARGET_LOADS;
}

static enum gw_target at_descriptor(const struct request *request) {
  if (request->path != NULL && *request->path != 0) {
    return gw_target_of(request->fd, request->path);
  }
  return gw_target_of_open(request->fd);
}

/* The file that the C library takes for a name without a slash: the first on PATH that runs. */
static enum gw_target on_path(const struct request *request) {
  if (request->path == NULL || strchr(request->path, '/') != NULL) {
    return at_path(request);
  }
  const char *folder = getenv("PATH");
  size_t name = strlen(request->path);
  for (folder = folder ? folder : "/bin:/usr/bin";; folder++) {
    char file[PATH_MAX];
    size_t length = strcspn(folder, ":");
    if (length + name + 2 <= sizeof file) {
      memcpy(file, folder, length);
      file[length] = '/'; /* an empty entry is the current folder */
      strcpy(file + length + (length > 0), request->path);
      int saved = errno;
      int runs = access(file, X_OK) == 0;
      errno = saved;
      if (runs) {
        return gw_target_of(AT_FDCWD, file);
      }
    }
    folder += length;
    if (*folder == 0) {
      return GW_TARGET_LOADS;
    }
  }
}

static int start_execve(const struct request *r, char *const environment[]) {
  return real.execve(r->path, r->arguments, environment);
}

static int start_execvpe(const struct request *r, char *const environment[]) {
  return real.execvpe(r->path, r->arguments, environment);
}

static int start_fexecve(const struct request *r, char *const environment[]) {
  return real.fexecve(r->fd, r->arguments, environment);
}

static int start_execveat(const struct request *r, char *const environment[]) {
  return (int)syscall(SYS_execveat, r->fd, r->path, r->arguments, environment, r->flags);
}

static int start_spawn(const struct request *r, char *const environment[]) {
  return r->spawn(r->pid, r->path, r->actions, r->attributes, r->arguments, environment);
}

EXPORT int execve(const char *path, char *const arguments[], char *const environment[]) {
  struct request request = {.start = start_execve, .path = path, .arguments = arguments};
  return start(&request, environment, at_path);
}

EXPORT int execv(const char *path, char *const arguments[]) {
  return execve(path, arguments, environ);
}

EXPORT int execvpe(const char *file, char *const arguments[], char *const environment[]) {
  struct request request = {.start = start_execvpe, .path = file, .arguments = arguments};
  return start(&request, environment, on_path);
}

EXPORT int execvp(const char *file, char *const arguments[]) {
  return execvpe(file, arguments, environ);
}

EXPORT int fexecve(int fd, char *const arguments[], char *const environment[]) {
  struct request request = {.start = start_fexecve, .fd = fd, .arguments = arguments};
  return start(&request, environment, at_descriptor);
}

EXPORT int execveat(int folder, const char *path, char *const arguments[],
                    char *const environment[], int flags) {
  struct request request = {
      .start = start_execveat, .fd = folder, .path = path, .arguments = arguments, .flags = flags};
  return start(&request, environment, at_descriptor);
}

/* The arguments of a call that lists them, up to the NULL and with it. */
#define COUNT(count, first)                                                                        \
  va_list counted;                                                                                 \
  va_start(counted, first);                                                                        \
  size_t count = 1;                                                                                \
  while (va_arg(counted, char *) != NULL) {                                                        \
    count++;                                                                                       \
  }                                                                                                \
  va_end(counted)

#define LIST(list, count, first, rest)                                                             \
  va_list rest;                                                                                    \
  va_start(rest, first);                                                                           \
  char *list[count + 1];                                                                           \
  list[0] = (char *)first;                                                                         \
  for (size_t n = 1; n <= count; n++) {                                                            \
    list[n] = va_arg(rest, char *);                                                                \
  }

EXPORT int execl(const char *path, const char *first, ...) {
  COUNT(count, first);
  LIST(arguments, count, first, rest)
  va_end(rest);
  return execve(path, arguments, environ);
}

EXPORT int execlp(const char *file, const char *first, ...) {
  COUNT(count, first);
  LIST(arguments, count, first, rest)
  va_end(rest);
  return execvpe(file, arguments, environ);
}

EXPORT int execle(const char *path, const char *first, ...) {
  COUNT(count, first);
  LIST(arguments, count, first, rest)
  char *const *environment = va_arg(rest, char *const *);
  va_end(rest);
  return execve(path, arguments, environment);
}

/* Not pidfd_spawn: a program that looks for it would find it where the C library lacks it. */
#define SPAWN(name, find_target)                                                                   \
  EXPORT int name(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,         \
                  const posix_spawnattr_t *attributes, char *const arguments[],                    \
                  char *const environment[]) {                                                     \
    find_real_once();                                                                              \
    struct request request = {.start = start_spawn,                                                \
                              .spawn = real.name,                                                  \
                              .path = path,                                                        \
                              .arguments = arguments,                                              \
                              .pid = pid,                                                          \
                              .actions = actions,                                                  \
                              .attributes = attributes};                                           \
    return start(&request, environment, find_target);                                              \
  }

SPAWN(posix_spawn, at_path)
SPAWN(posix_spawnp, on_path)
