#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "../gate/clock.h"
#include "collective.h"
#include "window.h"

_Atomic(struct gw_device *) gw_devices[GW_DEVICES];
_Atomic(struct gw_device *) gw_only_device;
pthread_mutex_t gw_streams = PTHREAD_MUTEX_INITIALIZER;

static pthread_mutex_t joining = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool any_device;
static _Atomic bool ungated[GW_DEVICES]; /* the device's page cannot be used */
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* libgiveway drops the tasks of a forked child, to which the devices point. The driver does not
 * work there either, so the child finds no device and runs ungated. */
static void fork_child(void) {
  pthread_mutex_init(&joining, NULL);
  pthread_mutex_init(&gw_streams, NULL);
  atomic_store(&gw_only_device, NULL);
  atomic_store(&any_device, false);
  for (int i = 0; i < GW_DEVICES; i++) {
    atomic_store(&gw_devices[i], NULL);
    atomic_store(&ungated[i], false);
  }
}

/* After a driver's exit handlers have run, no thread may query it, so the shim's handler must run
 * before. It is registered when the driver works already, and again at the first query, in case the
 * driver registered more by then. */
static _Atomic bool ending;
static pthread_once_t asked = PTHREAD_ONCE_INIT;

static void end(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_sec++; /* a thread that holds the lock may be stopped inside the driver */
  atomic_store(&ending, true);
  if (pthread_mutex_timedlock(&gw_streams, &t) == 0) {
    pthread_mutex_unlock(&gw_streams);
  }
}

static void register_end(void) { atexit(end); }

static void prepare(void) {
  pthread_atfork(NULL, NULL, fork_child);
  register_end();
}

/* Whether any stream of the device still works. Called by libgiveway's watcher. */
static int busy(void *context) {
  struct gw_device *device = context;
  int result = GW_DONE;
  pthread_once(&asked, register_end);
  pthread_mutex_lock(&gw_streams);
  for (int i = 0; i < GW_STREAM_SLOTS && result != GW_BUSY; i++) {
    gw_word used = atomic_load(&device->used[i]);
    if (used == 0) {
      continue;
    }
    /* To query a stream that is being captured would end the capture. */
    enum gw_busy answer = gw_capture_has(used >> 1) || atomic_load(&ending)
                              ? GW_UNKNOWN
                              : gw_driver_stream_busy(atomic_load(&device->context), used >> 1);
    if (answer != GW_DONE) {
      result = answer;
    }
    if (answer != GW_BUSY) {
      atomic_compare_exchange_strong(&device->used[i], &used, 0);
    }
  }
  pthread_mutex_unlock(&gw_streams);
  return result;
}

static void release(void *context) {
  (void)context;
  gw_window_release();
}

static struct gw_device *join(int index) {
  char name[64];
  if (!gw_driver_device_name(index, name, sizeof name)) {
    return NULL;
  }
  struct gw_device *device = calloc(1, sizeof *device);
  if (device == NULL) {
    return NULL;
  }
  struct gw_task_options options = {
      .priority = gw_environment_priority(), .busy = busy, .context = device, .release = release};
  int r = gw_page_open(name, 1, &device->page);
  if (r == GW_OK) {
    r = gw_join(device->page, &options, &device->task);
  }
  if (r == GW_OK && gw_in_job(device->task)) {
    atomic_store(&gw_any_job, true);
  }
  if (r != GW_OK) {
    gw_warn_page(r, name);
    atomic_store(&ungated[index], true);
    free(device);
    return NULL;
  }
  return device;
}

struct gw_device *gw_device_find(void) {
  int index = gw_driver_current_device();
  if (index < 0 || index >= GW_DEVICES) {
    return NULL;
  }
  struct gw_device *device = atomic_load_explicit(&gw_devices[index], memory_order_acquire);
  if (GW_LIKELY(device != NULL) || atomic_load(&ungated[index])) {
    return device;
  }
  int saved = errno;
  pthread_once(&prepared, prepare);
  pthread_mutex_lock(&joining);
  device = atomic_load(&gw_devices[index]);
  if (device == NULL && !atomic_load(&ungated[index])) {
    device = join(index);
    if (device != NULL) {
      atomic_store(&gw_devices[index], device);
      atomic_store(&any_device, true);
      if (gw_driver_device_count() == 1) {
        atomic_store(&gw_only_device, device);
      }
    }
  }
  pthread_mutex_unlock(&joining);
  errno = saved;
  return device;
}

struct gw_device *gw_device_known(void) {
  struct gw_device *device = atomic_load_explicit(&gw_only_device, memory_order_acquire);
  if (device == NULL && atomic_load(&any_device)) {
    int index = gw_driver_current_device();
    device = index >= 0 && index < GW_DEVICES ? atomic_load(&gw_devices[index]) : NULL;
  }
  return device;
}

void gw_device_mark(struct gw_device *device, gw_word stream) {
  unsigned home = gw_stream_slot(stream);
  gw_word other = atomic_exchange(&device->used[home], stream << 1 | 1);
  /* Two streams may have one home. The one that had it may still work: it moves if it can. */
  for (unsigned i = 1; i < GW_STREAM_SLOTS && other != 0 && other >> 1 != stream; i++) {
    gw_word there = 0;
    if (atomic_compare_exchange_strong(&device->used[(home + i) % GW_STREAM_SLOTS], &there,
                                       other) ||
        there >> 1 == other >> 1) {
      other = 0;
    }
  }
  atomic_store(&device->context, gw_driver_current_context());
}

void gw_device_sync_begin(struct gw_device *device, gw_word stream) {
  for (int i = 0; i < GW_STREAM_SLOTS; i++) {
    gw_word used = stream << 1 | 1;
    if (atomic_load_explicit(&device->used[i], memory_order_relaxed) == used) {
      atomic_compare_exchange_strong(&device->used[i], &used, stream << 1);
    }
  }
}

void gw_device_sync_end(struct gw_device *device, gw_word stream) {
  bool done = false, others = false;
  for (int i = 0; i < GW_STREAM_SLOTS; i++) {
    gw_word used = atomic_load_explicit(&device->used[i], memory_order_relaxed);
    if (used == stream << 1 && atomic_compare_exchange_strong(&device->used[i], &used, 0)) {
      done = true;
    } else {
      others = others || used != 0;
    }
  }
  if (done && !others) {
    gw_rest(gw_device_task(device));
  }
}
