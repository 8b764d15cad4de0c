#include "marks.h"

#include <stddef.h>

gw_word gw_event_take(struct gw_marks *marks) {
  return marks->spare_count > 0 ? marks->spare[--marks->spare_count] : 0;
}

void gw_event_give(struct gw_marks *marks, gw_word event) {
  if (event != 0 && marks->spare_count < GW_SPARES) {
    marks->spare[marks->spare_count++] = event;
  }
}

static void leave(struct gw_marks *marks, uint64_t ns) {
  marks->in_flight -= ns < marks->in_flight ? ns : marks->in_flight;
}

/* The oldest tail. Rather not that of a stream for which a launch has waited in vain, or one would
 * wait for it again. */
static struct gw_tail *victim(struct gw_marks *marks) {
  struct gw_tail *tail;
  unsigned looked = 0;
  do {
    tail = &marks->tails[marks->next_victim++ % GW_TAILS];
  } while (tail->unbounded && ++looked < GW_TAILS);
  return tail;
}

/* A context with more streams than there are tails loses one: what that stream has behind its last
 * mark is not counted any more. */
struct gw_tail *gw_tail_of(struct gw_marks *marks, gw_word stream) {
  for (unsigned i = 0; i < marks->tail_count; i++) {
    if (marks->tails[i].stream == stream) {
      return &marks->tails[i];
    }
  }
  struct gw_tail *tail;
  if (marks->tail_count < GW_TAILS) {
    tail = &marks->tails[marks->tail_count++];
  } else {
    tail = victim(marks);
    leave(marks, tail->ns);
  }
  *tail = (struct gw_tail){.stream = stream};
  return tail;
}

void gw_marks_count(struct gw_marks *marks, gw_word stream, uint64_t ns) {
  gw_tail_of(marks, stream)->ns += ns;
  marks->in_flight += ns;
}

void gw_marks_uncount(struct gw_marks *marks, gw_word stream, uint64_t ns) {
  struct gw_tail *tail = gw_tail_of(marks, stream);
  tail->ns -= ns < tail->ns ? ns : tail->ns;
  leave(marks, ns);
}

/* Drops a mark. Its work counts as work of the next mark on the stream. */
static void drop_newest(struct gw_marks *marks) {
  struct gw_mark *newest = &marks->marks[(marks->first + marks->count - 1) % GW_MARKS];
  gw_event_give(marks, newest->event);
  gw_event_give(marks, newest->before);
  gw_tail_of(marks, newest->stream)->ns += newest->ns;
  marks->count--;
}

bool gw_marks_expect(struct gw_marks *marks) {
  if (marks->count + marks->coming >= GW_MARKS) {
    if (marks->count < 2) {
      return false;
    }
    drop_newest(marks);
  }
  marks->coming++;
  return true;
}

struct gw_mark *gw_marks_add(struct gw_marks *marks, gw_word stream, gw_word event, gw_word before,
                             uint64_t key) {
  struct gw_tail *tail = gw_tail_of(marks, stream);
  struct gw_mark *mark = &marks->marks[(marks->first + marks->count++) % GW_MARKS];
  *mark = (struct gw_mark){.event = event,
                           .before = before,
                           .stream = stream,
                           .ns = tail->ns,
                           .key = key,
                           .launches = marks->submitted,
                           .number = ++marks->numbers};
  marks->marked = marks->submitted;
  tail->ns = 0;
  return mark;
}

struct gw_mark *gw_marks_first(struct gw_marks *marks) {
  return marks->count > 0 ? &marks->marks[marks->first] : NULL;
}

static struct gw_mark *at(struct gw_marks *marks, unsigned place) {
  return &marks->marks[(marks->first + place) % GW_MARKS];
}

struct gw_mark *gw_marks_first_of(struct gw_marks *marks, gw_word stream) {
  for (unsigned i = 0; i < marks->count; i++) {
    if (at(marks, i)->stream == stream) {
      return at(marks, i);
    }
  }
  return NULL;
}

struct gw_mark *gw_marks_find(struct gw_marks *marks, uint64_t number) {
  for (unsigned i = 0; i < marks->count; i++) {
    if (at(marks, i)->number == number) {
      return at(marks, i);
    }
  }
  return NULL;
}

uint64_t gw_marks_of(struct gw_marks *marks, gw_word stream) {
  uint64_t ns = gw_tail_of(marks, stream)->ns;
  for (unsigned i = 0; i < marks->count; i++) {
    ns += at(marks, i)->stream == stream ? at(marks, i)->ns : 0;
  }
  return ns;
}

uint64_t gw_marks_behind_first(struct gw_marks *marks, gw_word stream) {
  const struct gw_mark *first = gw_marks_first_of(marks, stream);
  return gw_marks_of(marks, stream) - (first != NULL ? first->ns : 0);
}

void gw_marks_shrink(struct gw_marks *marks, uint64_t key, double part) {
  for (unsigned i = 0; i < marks->count; i++) {
    struct gw_mark *mark = at(marks, i);
    uint64_t less = mark->limited && mark->key == key ? (uint64_t)((double)mark->ns * part) : 0;
    mark->ns -= less;
    leave(marks, less);
  }
}

/* Of the launches before a mark it is known that they are finished once the older marks, which are
 * on other streams, have gone. */
void gw_marks_remove(struct gw_marks *marks, struct gw_mark *mark, bool reusable) {
  if (reusable) {
    gw_event_give(marks, mark->event);
    gw_event_give(marks, mark->before);
  }
  if (mark == at(marks, 0) && mark->launches > marks->finished) {
    marks->finished = mark->launches;
  }
  leave(marks, mark->ns);
  unsigned place = ((unsigned)(mark - marks->marks) + GW_MARKS - marks->first) % GW_MARKS;
  for (; place > 0; place--) {
    *at(marks, place) = *at(marks, place - 1);
  }
  marks->first = (marks->first + 1) % GW_MARKS;
  marks->count--;
}

void gw_marks_drop(struct gw_marks *marks) {
  while (marks->count > 0) {
    gw_marks_remove(marks, gw_marks_first(marks), false);
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
      leave(marks, mark->ns);
    } else {
      marks->marks[(marks->first + kept++) % GW_MARKS] = *mark;
    }
  }
  marks->count = kept;
}

void gw_marks_forget_stream(struct gw_marks *marks, gw_word stream, bool events) {
  for (unsigned i = 0; i < marks->tail_count; i++) {
    if (marks->tails[i].stream == stream) {
      leave(marks, marks->tails[i].ns);
      marks->tails[i] = marks->tails[--marks->tail_count];
      break;
    }
  }
  if (events) {
    drop_of(marks, stream);
  }
}
