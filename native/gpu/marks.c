#include "marks.h"

#include <stdbool.h>

#include "capture.h"

gw_word gw_event_take(struct gw_marks *marks) {
  return marks->spare_count > 0 ? marks->spare[--marks->spare_count] : gw_driver_event_create();
}

void gw_event_give(struct gw_marks *marks, gw_word event) {
  if (event != 0 && marks->spare_count < 2 * GW_MARKS) {
    marks->spare[marks->spare_count++] = event;
  }
}

void gw_marks_leave(struct gw_marks *marks, uint64_t ns) {
  marks->in_flight -= ns < marks->in_flight ? ns : marks->in_flight;
}

struct gw_tail *gw_tail_of(struct gw_marks *marks, gw_word stream) {
  for (unsigned i = 0; i < marks->tail_count; i++) {
    if (marks->tails[i].stream == stream) {
      return &marks->tails[i];
    }
  }
  if (marks->tail_count == GW_TAILS) {
    return NULL;
  }
  marks->tails[marks->tail_count] = (struct gw_tail){.stream = stream};
  return &marks->tails[marks->tail_count++];
}

void gw_mark(struct gw_marks *marks, gw_word stream, uint64_t ns, gw_word before, uint64_t key) {
  bool capturing = gw_capturing(stream);
  gw_word event = capturing || marks->count == GW_MARKS ? 0 : gw_event_take(marks);
  if (event != 0 && gw_driver_event_record(event, stream)) {
    marks->marks[(marks->first + marks->count++) % GW_MARKS] =
        (struct gw_mark){event, before, stream, ns, key};
  } else {
    gw_event_give(marks, event);
    gw_event_give(marks, before);
    gw_marks_leave(marks, ns);
  }
}

void gw_mark_tail(struct gw_marks *marks, struct gw_tail *tail, gw_word before, uint64_t key) {
  gw_mark(marks, tail->stream, tail->ns, before, key);
  tail->ns = 0;
}

void gw_mark_all(struct gw_marks *marks) {
  for (unsigned i = 0; i < marks->tail_count; i++) {
    if (marks->tails[i].ns != 0) {
      gw_mark_tail(marks, &marks->tails[i], 0, 0);
    }
  }
  marks->tail_count = 0;
}

static void drop_first(struct gw_marks *marks, bool reusable) {
  struct gw_mark *first = &marks->marks[marks->first];
  if (reusable) {
    gw_event_give(marks, first->event);
    gw_event_give(marks, first->before);
  }
  gw_marks_leave(marks, first->ns);
  marks->first = (marks->first + 1) % GW_MARKS;
  marks->count--;
}

void gw_marks_retire(struct gw_marks *marks, struct gw_estimates *estimates) {
  while (marks->count > 0) {
    struct gw_mark *first = &marks->marks[marks->first];
    enum gw_busy busy = gw_driver_event_query(first->event);
    if (busy == GW_BUSY) {
      return;
    }
    if (busy == GW_DONE && first->before != 0) {
      uint64_t ns = gw_driver_event_elapsed(first->before, first->event);
      if (ns != 0) {
        gw_estimate_learn(estimates, first->key, ns);
      }
    }
    drop_first(marks, busy == GW_DONE);
  }
}

void gw_marks_drop(struct gw_marks *marks) {
  while (marks->count > 0) {
    drop_first(marks, false);
  }
  marks->tail_count = 0;
  marks->in_flight = 0;
}

/* Afterwards less work counts as in flight than is; by no more than a window. */
static void drop_of(struct gw_marks *marks, gw_word stream) {
  unsigned kept = 0;
  for (unsigned i = 0; i < marks->count; i++) {
    struct gw_mark *mark = &marks->marks[(marks->first + i) % GW_MARKS];
    if (mark->stream == stream) {
      gw_event_give(marks, mark->event);
      gw_event_give(marks, mark->before);
      gw_marks_leave(marks, mark->ns);
    } else {
      marks->marks[(marks->first + kept++) % GW_MARKS] = *mark;
    }
  }
  marks->count = kept;
}

void gw_marks_forget_stream(struct gw_marks *marks, gw_word stream) {
  for (unsigned i = 0; i < marks->tail_count; i++) {
    if (marks->tails[i].stream == stream) {
      gw_marks_leave(marks, marks->tails[i].ns);
      marks->tails[i] = marks->tails[--marks->tail_count];
      break;
    }
  }
  if (gw_driver_events_touch_streams) {
    drop_of(marks, stream);
  }
}
