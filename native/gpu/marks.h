/* The work that a context has in flight, as fences (events) behind pieces of work and as the work
 * behind the last fence. Bookkeeping under the lock of the windows: nothing here calls the driver.
 */
#ifndef GIVEWAY_GPU_MARKS_H
#define GIVEWAY_GPU_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"

#define GW_MARKS 64 /* events in flight */
#define GW_TAILS 64 /* streams */
/* Events: two for each mark, and the one from which done work is counted. */
#define GW_SPARES (2 * GW_MARKS + 1)

/* An event behind a piece of work. */
struct gw_mark {
  gw_word event, before, stream; /* before: an event in front of the work, 0 if not timed */
  uint64_t ns, key;
  uint64_t launches; /* submitted to the context up to here */
  uint64_t number;   /* of the mark; never used again */
  bool limited;      /* by the window, so that the last piece stands for all of the work */
  bool first;        /* `before` is in front of all of the work, and nothing else was in flight */
};

/* A stream, and the work submitted to it after its last mark. */
struct gw_tail {
  gw_word stream;
  uint64_t ns;
  uint64_t closing; /* of the task's gate, when the last gate was put on the stream */
  bool unbounded;   /* a launch has waited in vain for the stream */
};

struct gw_marks {
  uint64_t in_flight;             /* nanoseconds of counted work, marked and not */
  uint64_t submitted, finished;   /* launches; finished: that many at least */
  uint64_t marked;                /* submitted at the last mark */
  struct gw_mark marks[GW_MARKS]; /* a queue */
  unsigned first, count;
  unsigned coming;   /* marks whose work is being submitted */
  gw_word looked_at; /* the stream of the event that a thread queries; 0: none */
  uint64_t numbers;
  struct gw_tail tails[GW_TAILS];
  unsigned tail_count, next_victim;
  gw_word spare[GW_SPARES];
  unsigned spare_count;
};

/* A spare event; 0: there is none. */
gw_word gw_event_take(struct gw_marks *marks);
void gw_event_give(struct gw_marks *marks, gw_word event);
struct gw_tail *gw_tail_of(struct gw_marks *marks, gw_word stream);
/* Counts work as in flight; takes back what could not be submitted. */
void gw_marks_count(struct gw_marks *marks, gw_word stream, uint64_t ns);
void gw_marks_uncount(struct gw_marks *marks, gw_word stream, uint64_t ns);
/* Makes room for one more mark, which is then expected: where there are too many, in the place of
 * the newest one. */
bool gw_marks_expect(struct gw_marks *marks);
/* The event is behind all work of the stream; `before`, if it is not 0, is in front of the last
 * piece, which is of the kind `key`. */
struct gw_mark *gw_marks_add(struct gw_marks *marks, gw_word stream, gw_word event, gw_word before,
                             uint64_t key);
/* The oldest mark; NULL: there is none. */
struct gw_mark *gw_marks_first(struct gw_marks *marks);
/* The oldest mark of the stream; the mark of that number; NULL: there is none. */
struct gw_mark *gw_marks_first_of(struct gw_marks *marks, gw_word stream);
struct gw_mark *gw_marks_find(struct gw_marks *marks, uint64_t number);
/* All of the stream's work, and what is behind its oldest mark. */
uint64_t gw_marks_of(struct gw_marks *marks, gw_word stream);
uint64_t gw_marks_behind_first(struct gw_marks *marks, gw_word stream);
/* Work of the kind takes less time than was thought, by that part of it. */
void gw_marks_shrink(struct gw_marks *marks, uint64_t key, double part);
/* The mark's work is done; not reusable: its events failed. */
void gw_marks_remove(struct gw_marks *marks, struct gw_mark *mark, bool reusable);
/* Forgets all work in flight, whose events may never be done: they are not used again. */
void gw_marks_drop(struct gw_marks *marks);
/* Forgets the stream's work, and with `events` also its marks. */
void gw_marks_forget_stream(struct gw_marks *marks, gw_word stream, bool events);

#endif
