#include "capture.h"

#include <pthread.h>

/* The handles of the default streams, in both APIs. */
#define LEGACY 1
#define PER_THREAD 2

#define MOST 128

struct member {
  gw_word stream, context;
  enum gw_capture_role role;
  bool blocks;    /* synchronises with the legacy stream */
  bool confirmed; /* the call that captures it has returned */
};

_Atomic unsigned gw_captures;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct member members[MOST];
static bool crowded; /* more streams than fit: until the set is empty, any stream may be one */

/* The handle of the per-thread stream names another stream in each thread. */
static gw_word name_of(gw_word stream) {
  static _Thread_local char own;
  return stream == PER_THREAD ? (gw_word)&own : stream;
}

/* ---- under the lock ----------------------------------------------------------------------- */

static struct member *find(gw_word stream) {
  unsigned count = atomic_load(&gw_captures);
  for (unsigned i = 0; i < count; i++) {
    if (members[i].stream == stream) {
      return &members[i];
    }
  }
  return NULL;
}

static void take_out(struct member *member) {
  unsigned last = atomic_load(&gw_captures) - 1;
  *member = members[last];
  atomic_store(&gw_captures, last);
}

static void clear_without_origin(void) {
  unsigned count = atomic_load(&gw_captures);
  for (unsigned i = 0; i < count; i++) {
    if (members[i].role == GW_CAPTURE_ORIGIN) {
      return;
    }
  }
  atomic_store(&gw_captures, 0);
  crowded = false;
}

static bool any_blocks(void) {
  unsigned count = atomic_load(&gw_captures);
  for (unsigned i = 0; i < count; i++) {
    if (members[i].blocks) {
      return true;
    }
  }
  return false;
}

/* ---- changes ------------------------------------------------------------------------------ */

bool gw_capture_add(gw_word stream) {
  struct member new = {.stream = name_of(stream),
                       .context = gw_driver_current_context(),
                       .role = GW_CAPTURE_JOINED,
                       .blocks = gw_driver_stream_blocks(stream)};
  pthread_mutex_lock(&lock);
  struct member *there = find(new.stream);
  unsigned count = atomic_load(&gw_captures);
  if (there != NULL) {
    there->confirmed = false; /* where it has left its capture, it may be in another one soon */
  } else if (count < MOST) {
    members[count] = new;
    atomic_store(&gw_captures, count + 1);
  } else {
    crowded = true;
  }
  pthread_mutex_unlock(&lock);
  return there == NULL;
}

void gw_capture_confirm(gw_word stream, enum gw_capture_role role) {
  pthread_mutex_lock(&lock);
  struct member *member = find(name_of(stream));
  if (member != NULL) {
    member->confirmed = true;
    member->role = role == GW_CAPTURE_ORIGIN ? role : member->role;
  }
  pthread_mutex_unlock(&lock);
}

void gw_capture_remove(gw_word stream) {
  if (atomic_load(&gw_captures) == 0) {
    return;
  }
  pthread_mutex_lock(&lock);
  struct member *member = find(name_of(stream));
  if (member != NULL) {
    take_out(member);
    clear_without_origin();
  }
  pthread_mutex_unlock(&lock);
}

void gw_capture_forget(gw_word context) {
  pthread_mutex_lock(&lock);
  for (unsigned i = atomic_load(&gw_captures); i-- > 0;) {
    if (members[i].context == context) {
      take_out(&members[i]);
    }
  }
  clear_without_origin();
  pthread_mutex_unlock(&lock);
}

/* ---- questions ---------------------------------------------------------------------------- */

bool gw_capture_has(gw_word stream) {
  if (atomic_load(&gw_captures) == 0) {
    return false;
  }
  pthread_mutex_lock(&lock);
  bool has = crowded || (stream == LEGACY ? any_blocks() : find(name_of(stream)) != NULL);
  pthread_mutex_unlock(&lock);
  return has;
}

/* A stream that has joined a capture leaves it when the capture ends on its origin. */
static void remove_if_settled(gw_word stream) {
  pthread_mutex_lock(&lock);
  struct member *member = find(name_of(stream));
  if (member != NULL && member->confirmed) {
    take_out(member);
    clear_without_origin();
  }
  pthread_mutex_unlock(&lock);
}

bool gw_capturing(gw_word stream) {
  if (!gw_capture_has(stream)) {
    return false;
  }
  if (gw_driver_capturing(stream)) {
    return true;
  }
  remove_if_settled(stream);
  return false;
}

static void forget(void) {
  pthread_mutex_init(&lock, NULL);
  atomic_store(&gw_captures, 0);
  crowded = false;
}

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
