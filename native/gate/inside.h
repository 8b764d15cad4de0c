/* The launches that the calling thread is inside. */
#ifndef GIVEWAY_INSIDE_H
#define GIVEWAY_INSIDE_H

#include "state.h"

/* A thread is inside launches of one task, except in tests; those of a second task do not count. */
struct gw_inside {
  struct gw_task *task;
  uint32_t launches;
};
extern _Thread_local struct gw_inside gw_inside;

/* The slow half of gw_inside_begin. */
void gw_inside_first(struct gw_task *task);

static inline void gw_inside_begin(struct gw_task *task) {
  if (GW_LIKELY(gw_inside.task == task)) {
    gw_inside.launches++;
  } else {
    gw_inside_first(task);
  }
}

static inline void gw_inside_end(const struct gw_task *task) {
  if (GW_LIKELY(gw_inside.task == task && gw_inside.launches != 0)) {
    gw_inside.launches--;
  }
}

#endif
