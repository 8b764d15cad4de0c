/* GIVEWAY_TRACE names a folder. Every process that had a task, or whose hook has something to
 * report, leaves a file of JSON there when it exits. */
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

struct past {
  struct gw_task_info
      info; /* sums, and the highest peak, over all tasks that left, by name, priority and device */
  struct past *next;
};

static int (*_Atomic write_hook)(FILE *);
static struct past *past; /* under gw_process.lock */

void gw_on_trace(int (*write)(FILE *)) { atomic_store(&write_hook, write); }

static const char *folder(void) {
  const char *path = getenv("GIVEWAY_TRACE");
  return path != NULL && *path != '\0' ? path : NULL;
}

void gw_write_json(FILE *file, const char *text) {
  fputc('"', file);
  for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\') {
      fputc('\\', file);
    }
    if (*c < 0x20) {
      fprintf(file, "\\u%04x", *c);
    } else {
      fputc(*c, file);
    }
  }
  fputc('"', file);
}

void gw_trace_keep(struct gw_task *task) {
  struct gw_task_info info;
  if (folder() == NULL || gw_task_describe(task, &info) != GW_OK) {
    return;
  }
  struct past *same = past;
  while (same != NULL &&
         (strcmp(same->info.name, info.name) != 0 || same->info.priority != info.priority ||
          strcmp(same->info.device, info.device) != 0)) {
    same = same->next;
  }
  if (same == NULL) {
    same = malloc(sizeof *same);
    if (same != NULL) {
      *same = (struct past){info, past};
      past = same;
    }
    return;
  }
  same->info.launches += info.launches;
  same->info.operators += info.operators;
  same->info.held += info.held;
  same->info.held_ns += info.held_ns;
  same->info.preemptions += info.preemptions;
  if (same->info.memory_peak < info.memory_peak) {
    same->info.memory_peak = info.memory_peak;
  }
}

static void write_task(FILE *file, const struct gw_task_info *info) {
  fputs("{\"device\": ", file);
  gw_write_json(file, info->device);
  fputs(", \"name\": ", file);
  gw_write_json(file, info->name);
  fprintf(file,
          ", \"priority\": %d, \"is_thread\": %s, \"launches\": %lu, \"operators\": %lu, "
          "\"holds\": %lu, \"held_ns\": %lu, \"preemptions\": %lu, \"memory_peak\": %lu}",
          info->priority, info->is_thread ? "true" : "false", info->launches, info->operators,
          info->held, info->held_ns, info->preemptions, info->memory_peak);
}

void gw_trace_write(void) {
  int (*hook)(FILE *) = atomic_load(&write_hook);
  const char *to = folder();
  if (to == NULL || (past == NULL && (hook == NULL || !hook(NULL)))) {
    return;
  }
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%d-%lu.json", to, (int)getpid(), gw_now());
  FILE *file = fopen(path, "we");
  if (file == NULL) {
    return;
  }
  const char *name = getenv("GIVEWAY_NAME");
  fprintf(file, "{\"pid\": %d, \"name\": ", (int)getpid());
  gw_write_json(file, name != NULL ? name : program_invocation_short_name);
  fputs(",\n\"tasks\": [", file);
  for (const struct past *task = past; task != NULL; task = task->next) {
    fputs(task == past ? "\n" : ",\n", file);
    write_task(file, &task->info);
  }
  fputc(']', file);
  if (hook != NULL) {
    hook(file);
  }
  fputs("}\n", file);
  fclose(file);
}

static void forget(void) { past = NULL; }

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
