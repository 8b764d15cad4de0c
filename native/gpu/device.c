#include "device.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../gate/clock.h"
#include "../gate/number.h"
#include "collective.h"
#include "park.h"

_Atomic(struct gw_device *) gw_devices[GW_DEVICES];
_Atomic(struct gw_device *) gw_only_device;

static pthread_mutex_t joining = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool any_device;
static _Atomic uint64_t again_ns[GW_DEVICES]; /* refused by the page: when to try again; 0: not */
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* The stream that the watcher queries; 0: none. Not a lock: the driver may block in the query, and
 * then only threads that are to destroy or capture that very stream wait for it. */
static _Atomic gw_word queried;
#define QUERY_NS UINT64_C(1000000000) /* they wait for so long */
#define POLL_NS 20000

/* libgiveway drops the tasks of a forked child, to which the devices point. The driver does not
 * work there either, so the child finds no device and runs ungated. */
static void fork_child(void) {
  pthread_mutex_init(&joining, NULL);
  atomic_store(&queried, 0);
  atomic_store(&gw_only_device, NULL);
  atomic_store(&any_device, false);
  for (int i = 0; i < GW_DEVICES; i++) {
    atomic_store(&gw_devices[i], NULL);
    atomic_store(&again_ns[i], 0);
  }
}

/* After a driver's exit handlers have run, no thread may query it, so the shim's handler must run
 * before. It is registered when the driver works already, and again at the first query, in case the
 * driver registered more by then. */
static _Atomic bool ending;
static pthread_once_t asked = PTHREAD_ONCE_INIT;

void gw_device_await_query(gw_word stream) {
  gw_word now;
  for (uint64_t until = gw_now() + QUERY_NS;
       (now = atomic_load(&queried)) != 0 && (stream == 0 || now == stream) && gw_now() < until;) {
    gw_sleep_ns(POLL_NS);
  }
}

static void end(void) {
  atomic_store(&ending, true);
  gw_device_await_query(0);
}

static void register_end(void) { atexit(end); }

static void prepare(void) {
  gw_park_prepare();
  pthread_atfork(NULL, NULL, fork_child);
  register_end();
}

/* Whether the stream, as it is noted in the slot, still works. A thread that is to destroy or
 * capture the stream first says so, and then looks for it in `queried`. */
static enum gw_busy query(struct gw_device *device, _Atomic gw_word *slot, gw_word used) {
  enum gw_busy answer = GW_UNKNOWN;
  atomic_store(&queried, used >> 1);
  /* To query a stream that is being captured would end the capture. */
  if (atomic_load(slot) == used && !gw_capture_has(used >> 1) && !atomic_load(&ending)) {
    answer = gw_driver_stream_busy(atomic_load(&device->context), used >> 1);
    if (used >> 1 == GW_STREAM_PER_THREAD && gw_windows_busy(&device->windows)) {
      answer = GW_BUSY; /* every thread has one */
    }
  }
  atomic_store(&queried, 0);
  return answer;
}

/* Whether any stream of the device still works. Called by libgiveway's watcher. */
static int busy(void *context) {
  struct gw_device *device = context;
  int result = GW_DONE;
  if (!gw_call_try()) {
    return GW_UNKNOWN; /* the process is parked */
  }
  pthread_once(&asked, register_end);
  for (int i = 0; i < GW_STREAM_SLOTS && result != GW_BUSY; i++) {
    gw_word used = atomic_load(&device->used[i]);
    if (used == 0) {
      continue;
    }
    enum gw_busy answer = query(device, &device->used[i], used);
    if (answer != GW_DONE) {
      result = answer;
    }
    if (answer != GW_BUSY) {
      atomic_compare_exchange_strong(&device->used[i], &used, 0);
    }
  }
  gw_call_end();
  return result;
}

static void release(void *context) {
  struct gw_device *device = context;
  gw_windows_release(&device->windows);
}

/* What a context takes may be stated in MiB. Else it is what no task accounts for, which may belong
 * to other programs, so the estimate has an upper bound. */
#define MIB (UINT64_C(1) << 20)
#define MOST_OF_A_CONTEXT (1024 * MIB)

static void begin_memory(gw_task *task, const struct gw_driver_memory *memory) {
  long stated = gw_environment_integer("GIVEWAY_CONTEXT_MIB", 0, LONG_MAX >> 20, -1);
  uint64_t context = stated >= 0 ? (uint64_t)stated * MIB : 0;
  if (stated < 0 && memory->free_known) {
    context = gw_memory_unaccounted(task, memory->total - memory->free);
    context = context < MOST_OF_A_CONTEXT ? context : MOST_OF_A_CONTEXT;
  }
  if (memory->total != 0) {
    gw_memory_begin(task, memory->total, context);
  }
}

static struct gw_device *join(int index, const char *name, const struct gw_driver_memory *memory,
                              bool side_by_side) {
  struct gw_device *device = aligned_alloc(_Alignof(struct gw_device), sizeof *device);
  if (device == NULL) {
    return NULL;
  }
  memset(device, 0, sizeof *device);
  gw_windows_init(&device->windows);
  struct gw_task_options options = {.priority = gw_environment_priority(),
                                    .busy = busy,
                                    .context = device,
                                    .release = release,
                                    .side_by_side = side_by_side};
  int r = gw_page_open(name, 1, &device->page);
  if (r == GW_OK) {
    r = gw_join(device->page, &options, &device->task);
  }
  if (r == GW_OK && gw_in_job(device->task)) {
    atomic_store(&gw_any_job, true);
  }
  if (r == GW_OK) {
    begin_memory(device->task, memory);
  }
  if (r != GW_OK) {
    gw_warn_page(r, name);
    atomic_store(&again_ns[index], gw_again_ns(r));
    free(device);
    return NULL;
  }
  return device;
}

static bool is_time(int index) {
  uint64_t again = atomic_load(&again_ns[index]);
  return again == 0 || (again != UINT64_MAX && gw_now() >= again);
}

/* A thread of the program must not be cancelled here, where it opens files. The driver is asked
 * without the lock. */
static struct gw_device *join_once(int index) {
  int state;
  char name[64];
  bool named = gw_driver_device_name(index, name, sizeof name);
  bool only = gw_driver_device_count() == 1;
  struct gw_driver_memory memory = gw_driver_memory(index);
  bool side_by_side = gw_driver_side_by_side(index);
  gw_word context = gw_driver_current_device() == index ? gw_driver_current_context() : 0;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  pthread_mutex_lock(&joining);
  struct gw_device *device = atomic_load(&gw_devices[index]);
  if (device == NULL && named && is_time(index)) {
    device = join(index, name, &memory, side_by_side);
    if (device != NULL) {
      atomic_store(&device->context, context);
      gw_park_uses(device->page, &device->context);
    }
  }
  if (device != NULL) {
    atomic_store(&gw_devices[index], device);
    atomic_store(&any_device, true);
    if (only) {
      atomic_store(&gw_only_device, device);
    }
  }
  pthread_mutex_unlock(&joining);
  pthread_setcancelstate(state, NULL);
  return device;
}

static struct gw_device *find(int index) {
  if (index < 0 || index >= GW_DEVICES) {
    return NULL;
  }
  struct gw_device *device = atomic_load_explicit(&gw_devices[index], memory_order_acquire);
  if (GW_LIKELY(device != NULL) || !is_time(index)) {
    return device;
  }
  int saved = errno;
  pthread_once(&prepared, prepare);
  device = join_once(index);
  errno = saved;
  return device;
}

static int index_of(gw_word stream) {
  return gw_driver_context_device(gw_driver_stream_context(stream));
}

struct gw_device *gw_device_find_at(int index) { return find(index); }
struct gw_device *gw_device_find(void) { return find(gw_driver_current_device()); }
struct gw_device *gw_device_find_of(gw_word stream) { return find(index_of(stream)); }

static struct gw_device *known(int index) {
  return index >= 0 && index < GW_DEVICES ? atomic_load(&gw_devices[index]) : NULL;
}

struct gw_device *gw_device_known(void) {
  struct gw_device *device = atomic_load_explicit(&gw_only_device, memory_order_acquire);
  return device == NULL && atomic_load(&any_device) ? known(gw_driver_current_device()) : device;
}

struct gw_device *gw_device_known_of(gw_word stream) {
  struct gw_device *device = atomic_load_explicit(&gw_only_device, memory_order_acquire);
  return device == NULL && atomic_load(&any_device) ? known(index_of(stream)) : device;
}

void gw_device_mark(struct gw_device *device, gw_word stream) {
  gw_work(gw_device_task(device));
  unsigned home = gw_stream_slot(stream);
  gw_word other = atomic_exchange(&device->used[home], stream << 1 | 1);
  /* Another stream may have had this slot. That stream may still have work, so it moves to a free
   * slot near by, if there is one. */
  for (unsigned i = 1; i < GW_STREAM_SLOTS && other != 0 && other >> 1 != stream; i++) {
    gw_word there = 0;
    if (atomic_compare_exchange_strong(&device->used[(home + i) % GW_STREAM_SLOTS], &there,
                                       other) ||
        there >> 1 == other >> 1) {
      other = 0;
    }
  }
  bool only = atomic_load(&gw_only_device) == device;
  atomic_store(&device->context,
               only ? gw_driver_current_context() : gw_driver_stream_context(stream));
}

void gw_device_note_context(struct gw_device *device, gw_word context) {
  if (GW_LIKELY(atomic_load_explicit(&device->context, memory_order_relaxed) != 0)) {
    return;
  }
  gw_word none = 0;
  if (context != 0 && known(gw_driver_context_device(context)) == device) {
    atomic_compare_exchange_strong(&device->context, &none, context);
  }
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

/* ---- streams, contexts and kinds of work that go ----------------------------------------------
 */

#define EACH_DEVICE(device)                                                                        \
  for (int at = 0; at < GW_DEVICES; at++)                                                          \
    for (struct gw_device *device = atomic_load(&gw_devices[at]); device != NULL; device = NULL)

static void forget_used(gw_word stream, bool all) {
  EACH_DEVICE(device) {
    for (int i = 0; i < GW_STREAM_SLOTS; i++) {
      if (all || atomic_load(&device->used[i]) >> 1 == stream) {
        atomic_store(&device->used[i], 0);
      }
    }
  }
  gw_device_await_query(all ? 0 : stream);
}

void gw_device_forget_fences(gw_word stream) {
  EACH_DEVICE(device) { gw_windows_forget_stream(&device->windows, stream); }
}

void gw_device_forget_stream(gw_word stream) {
  forget_used(stream, false);
  gw_device_forget_fences(stream);
}

void gw_device_forget_context(gw_word context) {
  forget_used(0, true);
  EACH_DEVICE(device) {
    gw_word known_one = atomic_load(&device->context);
    if (context == 0 || context == known_one) {
      atomic_compare_exchange_strong(&device->context, &known_one, 0);
    }
    gw_windows_forget_context(&device->windows, context);
  }
}

void gw_device_forget_kind(uint64_t key) {
  EACH_DEVICE(device) { gw_windows_forget_kind(&device->windows, key); }
}

void gw_device_forget_kinds(void) {
  EACH_DEVICE(device) { gw_windows_forget_kinds(&device->windows); }
}
