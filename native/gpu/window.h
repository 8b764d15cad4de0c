/* The windows of a device: what each context has in flight. A window lives from the first launch
 * into its context to the end of the context. */
#ifndef GIVEWAY_GPU_WINDOW_H
#define GIVEWAY_GPU_WINDOW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "drain.h"
#include "driver.h"
#include "estimate.h"
#include "marks.h"
#include "sparse.h"
#include "stream_gate.h"

struct gw_window {
  gw_word context; /* events belong to one */
  struct gw_windows *of;
  struct gw_window *next;
  unsigned users;    /* threads that submit something, or look at an event */
  _Atomic bool gone; /* the context is: freed with the last user */
  bool released;
  uint64_t suspended_until;
  gw_word kernel_stream;  /* of the last kernel or graph; 0: none yet */
  gw_word kernel_handle;  /* of that stream */
  uint64_t several_until; /* 0: launches have kept to one stream */
  uint64_t since_gate;    /* nanoseconds submitted after the last gate or fence */
  struct gw_marks marks;
  struct gw_drain drain;
  uint64_t refused; /* launches that found no room */
  struct gw_stream_gates gates;
};

struct gw_windows {
  pthread_mutex_t lock; /* never held while the driver is called: it may block for long */
  struct gw_window *first;
  struct gw_sparse sparse;
  struct gw_estimates estimates;
};

void gw_windows_init(struct gw_windows *windows);
/* The window of a context, made on first use. Returns with the lock held; NULL: no memory, and the
 * lock is not held. */
struct gw_window *gw_window_enter(struct gw_windows *windows, gw_word context);
/* Releases the lock, and takes it again. */
void gw_window_unlock(struct gw_window *window);
void gw_window_lock(struct gw_window *window);
/* With the lock held, releases it. The window is not to be used afterwards. */
void gw_window_leave(struct gw_window *window);

/* Removes the fences whose work is done, oldest first, and learns from those that were timed. Asks
 * the driver with the lock released. */
void gw_window_look(struct gw_window *window);
/* The same for the fences of one stream, which may be reached before older ones of others. */
void gw_window_look_at(struct gw_window *window, gw_word stream);

/* Whether a fence is not reached yet; from a thread without a context. */
bool gw_windows_busy(struct gw_windows *windows);

/* Sleeps, and is no cancellation point. */
void gw_sleep_ns(long ns);

/* Opens the stream gates by way of the device. */
void gw_windows_release(struct gw_windows *windows);
/* Forgets the marks of a stream that is destroyed or captured. */
void gw_windows_forget_stream(struct gw_windows *windows, gw_word stream);
/* Forgets a context that goes; 0: all of them. */
void gw_windows_forget_context(struct gw_windows *windows, gw_word context);
/* Forgets how long work of that kind takes: its handle has gone, or stands for other work by now.
 */
void gw_windows_forget_kind(struct gw_windows *windows, uint64_t key);
void gw_windows_forget_kinds(struct gw_windows *windows);

#endif
