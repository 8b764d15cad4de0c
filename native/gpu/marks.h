/* Fences: the work that a context has in flight, as events behind pieces of work and as the work
 * behind the last event. All under the lock of the window that they are in. */
#ifndef GIVEWAY_GPU_MARKS_H
#define GIVEWAY_GPU_MARKS_H

#include <stdint.h>

#include "driver.h"
#include "estimate.h"

#define GW_MARKS 64 /* events in flight */
#define GW_TAILS 64 /* streams */

/* An event behind a piece of work. */
struct gw_mark {
  gw_word event, before, stream; /* before: an event in front of it, 0 where it is not timed */
  uint64_t ns, key;
};

/* Submitted to a stream after its last mark, or its last gate. */
struct gw_tail {
  gw_word stream;
  uint64_t ns;
  unsigned launches; /* behind the last gate */
  uint64_t closing;  /* of the task's gate, when the last gate was put on the stream */
};

struct gw_marks {
  uint64_t in_flight;             /* nanoseconds, marked and not */
  struct gw_mark marks[GW_MARKS]; /* a queue */
  unsigned first, count;
  struct gw_tail tails[GW_TAILS];
  unsigned tail_count;
  gw_word spare[2 * GW_MARKS]; /* events */
  unsigned spare_count;
};

gw_word gw_event_take(struct gw_marks *marks);
void gw_event_give(struct gw_marks *marks, gw_word event);
/* That much work is not in flight any more. */
void gw_marks_leave(struct gw_marks *marks, uint64_t ns);
/* NULL: the context uses too many streams. */
struct gw_tail *gw_tail_of(struct gw_marks *marks, gw_word stream);
/* Puts an event behind that much work; where that fails, the work is not counted any more. */
void gw_mark(struct gw_marks *marks, gw_word stream, uint64_t ns, gw_word before, uint64_t key);
void gw_mark_tail(struct gw_marks *marks, struct gw_tail *tail, gw_word before, uint64_t key);
void gw_mark_all(struct gw_marks *marks);
/* Removes the marks of work that is done, and learns from those that were timed. */
void gw_marks_retire(struct gw_marks *marks, struct gw_estimates *estimates);
/* Forgets all work in flight, whose events may never be done: they are not used again. */
void gw_marks_drop(struct gw_marks *marks);
void gw_marks_forget_stream(struct gw_marks *marks, gw_word stream);

#endif
