#include "trace.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../gate/clock.h"
#include "../gate/number.h"
#include "giveway_hook.h"
#include "load/resolve.h"
#include "memory.h"

#define KERNELS 16384
#define MOST_EVENTS 10000000
#define GONE UINTPTR_MAX /* in place of the handle of an unloaded kernel */

struct kernel {
  gw_word handle;
  uint64_t launches;
  char *name;
};

struct event {
  uint64_t began_ns, ended_ns;
  const struct kernel *kernel;
  unsigned id;
  int thread;
};

bool gw_tracing;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kernel *kernels; /* by hash of the handle */
static uint64_t nameless;      /* launches for which there was no room */
static struct event *events;   /* a ring of the last ones */
static uint64_t event_count, event_capacity;

static const char *const count_names[GW_COUNTED] = {
    "launches", "legacy_launches",  "graph_launches", "copies",  "memsets",     "allocations",
    "frees",    "host_allocations", "host_frees",     "syncs",   "event_calls", "queries",
    "other",    "failures",         "stream_gates",   "sync_ns",
};

/* ---- under the lock ----------------------------------------------------------------------- */

/* Adds the kernel by this name where it is missing ("": a kernel without a name). With NULL, only
 * looks for it. */
static struct kernel *find_kernel(gw_word handle, const char *name) {
  if (kernels == NULL && (kernels = calloc(KERNELS, sizeof *kernels)) == NULL) {
    return NULL;
  }
  for (unsigned i = 0; i < 64; i++) {
    struct kernel *kernel = &kernels[((handle >> 4) + i) % KERNELS];
    if (kernel->handle == handle) {
      return kernel;
    }
    if (kernel->handle == 0 && name == NULL) {
      return NULL;
    }
    if (kernel->handle == 0) {
      kernel->handle = handle;
      kernel->name = name[0] != '\0' ? strdup(name) : NULL;
      return kernel;
    }
  }
  return NULL;
}

static const struct kernel *count_kernel(unsigned id, gw_word handle) {
  struct kernel *kernel = handle != 0 ? find_kernel(handle, NULL) : NULL;
  if (kernel == NULL && handle != 0) {
    char name[1024];
    pthread_mutex_unlock(&lock); /* the driver may block */
    bool known = gw_driver_kernel_name(id, handle, name, sizeof name);
    pthread_mutex_lock(&lock);
    kernel = find_kernel(handle, known ? name : "");
  }
  if (kernel != NULL) {
    kernel->launches++;
  } else {
    nameless++;
  }
  return kernel;
}

static void add_event(const struct gw_traced *call, uint64_t now, const struct kernel *kernel) {
  if (events == NULL && (events = calloc(event_capacity, sizeof *events)) == NULL) {
    event_capacity = 0;
    return;
  }
  events[event_count++ % event_capacity] =
      (struct event){call->began_ns, now, kernel, call->id, (int)syscall(SYS_gettid)};
}

/* ---- around a call ------------------------------------------------------------------------ */

void gw_trace_begin(struct gw_traced *call, unsigned id, enum gw_counted what, gw_word object) {
  *call = (struct gw_traced){.id = id, .what = what, .object = object};
  call->began_ns = gw_now();
}

void gw_trace_end(struct gw_traced *call, int result) {
  uint64_t now = gw_now();
  const struct kernel *kernel = NULL;
  if (call->what == GW_SYNCS) {
    gw_count(GW_SYNC_NS, now - call->began_ns);
  }
  pthread_mutex_lock(&lock);
  if (call->what == GW_LAUNCHES && result == 0) {
    kernel = count_kernel(call->id, call->object);
  }
  if (event_capacity != 0) {
    add_event(call, now, kernel);
  }
  pthread_mutex_unlock(&lock);
}

void gw_trace_forget_kernels(void) {
  pthread_mutex_lock(&lock);
  for (unsigned i = 0; kernels != NULL && i < KERNELS; i++) {
    if (kernels[i].handle != 0) {
      kernels[i].handle = GONE; /* its launches stay counted */
    }
  }
  pthread_mutex_unlock(&lock);
}

/* ---- at the end --------------------------------------------------------------------------- */

static void write_kernels(FILE *file) {
  const char *comma = "";
  fputs(",\n\"kernels\": [", file);
  for (unsigned i = 0; kernels != NULL && i < KERNELS; i++) {
    if (kernels[i].launches != 0) {
      fprintf(file, "%s\n{\"launches\": %lu, \"name\": ", comma, kernels[i].launches);
      gw_write_json(file, kernels[i].name != NULL ? kernels[i].name : "?");
      fputc('}', file);
      comma = ",";
    }
  }
  if (nameless != 0) {
    fprintf(file, "%s\n{\"launches\": %lu, \"name\": \"?\"}", comma, nameless);
  }
  fputc(']', file);
}

static void write_events(FILE *file) {
  uint64_t from = event_count > event_capacity ? event_count - event_capacity : 0;
  fprintf(file, ",\n\"events_dropped\": %lu,\n\"events\": [", from);
  for (uint64_t i = from; events != NULL && i < event_count; i++) {
    const struct event *event = &events[i % event_capacity];
    fprintf(file, "%s\n[%lu, %lu, %d, \"%s\", ", i > from ? "," : "", event->began_ns,
            event->ended_ns - event->began_ns, event->thread, gw_names[event->id]);
    gw_write_json(file,
                  event->kernel != NULL && event->kernel->name != NULL ? event->kernel->name : "");
    fputc(']', file);
  }
  fputc(']', file);
}

/* With NULL: whether there is anything to write. Other threads may still be launching. */
static int write_trace(FILE *file) {
  uint64_t of[GW_COUNTED], any = 0;
  gw_counts_sum(of);
  for (int i = 0; i < GW_COUNTED; i++) {
    any |= of[i];
  }
  if (file == NULL || any == 0) {
    return any != 0;
  }
  fputs(",\n\"calls\": {", file);
  for (int i = 0; i < GW_COUNTED; i++) {
    fprintf(file, "%s\"%s\": %lu", i > 0 ? ", " : "", count_names[i], of[i]);
  }
  struct gw_memory_totals memory = gw_memory_totals();
  pthread_mutex_lock(&lock);
  fprintf(file, "},\n\"bytes\": {\"allocated\": %lu, \"freed\": %lu, \"peak\": %lu}",
          memory.allocated, memory.freed, memory.peak);
  write_kernels(file);
  if (event_capacity != 0) {
    write_events(file);
  }
  pthread_mutex_unlock(&lock);
  return 1;
}

static void fork_child(void) {
  pthread_mutex_init(&lock, NULL);
  kernels = NULL; /* the parent's kernels, and their memory, are not the child's */
  events = NULL;
  nameless = event_count = 0;
}

__attribute__((constructor)) static void read_environment(void) {
  const char *folder = getenv("GIVEWAY_TRACE");
  gw_tracing = folder != NULL && *folder != '\0';
  if (gw_tracing) {
    gw_memory_sum();
    long n = gw_environment_integer("GIVEWAY_TRACE_EVENTS", 0, LONG_MAX, 0);
    event_capacity = n < MOST_EVENTS ? (uint64_t)n : MOST_EVENTS;
    gw_on_trace(write_trace);
    pthread_atfork(NULL, NULL, fork_child);
  }
}
