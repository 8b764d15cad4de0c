/* Programs with threads of their own (onnxruntime, OpenBLAS, JAX, Numba) open no OpenMP region.
 * With GIVEWAY_WHOLE_PROCESS=1 a process joins when it starts, has work while it uses CPU time, and
 * a closed gate stops all its threads by the signal that stops regions
 * (docs/decisions/0005-interrupt.md).
 *
 * Only threads that run, or wait for a core, get the signal: it would end the waits of others, and
 * those take no core. When a wait is over, the next look finds the thread running.
 */
#include "whole.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interrupt.h"
#include "region.h"

bool gw_whole_process;

static bool runs(const char *thread) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/task/%.16s/stat", thread);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0) {
    close(fd);
  }
  text[size > 0 ? size : 0] = '\0';
  const char *name_end = strrchr(text, ')');
  return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'R';
}

/* Calls the function for each thread that runs, but the calling one. */
static int for_running(void (*act)(pid_t)) {
  int count = 0;
  pid_t own = (pid_t)syscall(SYS_gettid);
  DIR *threads = opendir("/proc/self/task");
  for (struct dirent *entry; threads != NULL && (entry = readdir(threads)) != NULL;) {
    pid_t thread = (pid_t)atoi(entry->d_name);
    if (thread > 0 && thread != own && runs(entry->d_name)) {
      count++;
      act(thread);
    }
  }
  if (threads != NULL) {
    closedir(threads);
  }
  return count;
}

static void ignore(pid_t thread) { (void)thread; }
static void stop(pid_t thread) { syscall(SYS_tgkill, getpid(), thread, SIGURG); }

bool gw_any_thread_runs(void) { return for_running(ignore) != 0; }
void gw_stop_process(void) { for_running(stop); }

/* The watcher, which this wakes, finds out which cores the process uses. */
static void join(void) {
  gw_task *task = gw_current(GW_CPU_DEVICE);
  struct gw_core_use use = {.width = 1, .whole_process = 1};
  memset(use.cores, 0xFF, sizeof use.cores);
  if (task != NULL) {
    gw_use_cores(task, &use);
  }
}

/* The only constructor that does more than set a variable, and only where the user asks for it. */
__attribute__((constructor)) static void start(void) {
  const char *setting = getenv("GIVEWAY_WHOLE_PROCESS");
  gw_whole_process = setting != NULL && strcmp(setting, "1") == 0;
  if (gw_whole_process) {
    gw_interrupt_setup();
    pthread_atfork(NULL, NULL, join); /* after those of libgiveway: the child joins anew */
    join();
  }
}
