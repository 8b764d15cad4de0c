#ifndef GIVEWAY_EXEC_PRELOAD_H
#define GIVEWAY_EXEC_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "target.h"

/* What becomes of giveway's entries in LD_PRELOAD. */
enum gw_change { GW_KEEP, GW_LEAVE_OUT, GW_PUT_LAST };

/* How an environment differs for the program that is about to start. */
struct gw_plan {
  char *const *from;
  size_t variables;
  const char *preload; /* the variable LD_PRELOAD, with its name; NULL: it has no entry of ours */
  bool any_order;      /* AddressSanitizer is told not to insist on being first */
  enum gw_change change;
};

/* The plan before the target is known: it keeps everything. */
struct gw_plan gw_plan_of(char *const environment[]);

enum gw_change gw_plan_change(const struct gw_plan *plan, enum gw_target target);

/* Writes the new environment: at most `variables + 1` pointers, and no more text than
 * `plan->preload` is long, with its end. */
void gw_plan_write(const struct gw_plan *plan, char **environment, char *text);

#endif
