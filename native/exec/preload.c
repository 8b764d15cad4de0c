/* giveway's entries in LD_PRELOAD: those in the folder of this library, and below. */
#include "preload.h"

#include <string.h>

#define VARIABLE "LD_PRELOAD="
#define OWN_NAME "libgiveway-exec.so"
static const char separators[] = ": "; /* as the loader has them */

struct entry {
  const char *start;
  size_t length;
};

/* The entry at or after a place in the list; of no length at its end. */
static struct entry entry_from(const char *place) {
  const char *start = place + strspn(place, separators);
  return (struct entry){start, strcspn(start, separators)};
}

static struct entry next(struct entry entry) { return entry_from(entry.start + entry.length); }

static const char *name_of(struct entry entry) {
  const char *slash = memrchr(entry.start, '/', entry.length);
  return slash ? slash + 1 : entry.start;
}

static bool is_this_library(struct entry entry) {
  const char *name = name_of(entry);
  size_t length = (size_t)(entry.start + entry.length - name);
  return length == strlen(OWN_NAME) && memcmp(name, OWN_NAME, length) == 0;
}

static bool is_ours(const char *list, struct entry entry) {
  for (struct entry own = entry_from(list); own.length > 0; own = next(own)) {
    size_t folder = (size_t)(name_of(own) - own.start);
    if (is_this_library(own) && entry.length >= folder &&
        memcmp(entry.start, own.start, folder) == 0) {
      return true;
    }
  }
  return false;
}

struct gw_plan gw_plan_of(char *const environment[]) {
  struct gw_plan plan = {.from = environment};
  for (char *const *variable = environment; variable && *variable; variable++) {
    plan.variables++;
    if (strncmp(*variable, VARIABLE, strlen(VARIABLE)) == 0) {
      plan.preload = strstr(*variable, OWN_NAME) ? *variable : NULL;
    } else if (strncmp(*variable, "ASAN_OPTIONS=", strlen("ASAN_OPTIONS=")) == 0) {
      plan.any_order = strstr(*variable, "verify_asan_link_order=0") != NULL;
    }
  }
  return plan;
}

enum gw_change gw_plan_change(const struct gw_plan *plan, enum gw_target target) {
  const char *list = plan->preload + strlen(VARIABLE);
  bool asan = false, ours_came = false, ours_before_asan = false;
  for (struct entry entry = entry_from(list); entry.length > 0; entry = next(entry)) {
    if (is_ours(list, entry)) {
      ours_came = true;
    } else if (gw_is_asan(name_of(entry))) {
      asan = true;
      ours_before_asan = ours_before_asan || ours_came;
    }
  }
  if (target == GW_TARGET_FAILS) {
    return GW_LEAVE_OUT;
  }
  if (plan->any_order) {
    return GW_KEEP;
  }
  if (target == GW_TARGET_ASAN_FIRST && !asan) {
    return GW_LEAVE_OUT;
  }
  return ours_before_asan ? GW_PUT_LAST : GW_KEEP;
}

/* Appends the entries of one side, and returns the new end. */
static char *append(char *text, const char *list, bool ours) {
  for (struct entry entry = entry_from(list); entry.length > 0; entry = next(entry)) {
    if (is_ours(list, entry) == ours) {
      memcpy(text, entry.start, entry.length);
      text += entry.length;
      *text++ = ':';
    }
  }
  return text;
}

void gw_plan_write(const struct gw_plan *plan, char **environment, char *text) {
  const char *list = plan->preload + strlen(VARIABLE);
  char *start = stpcpy(text, VARIABLE);
  char *end = append(start, list, false);
  if (plan->change == GW_PUT_LAST) {
    end = append(end, list, true);
  }
  for (char *const *variable = plan->from; *variable; variable++) {
    if (*variable != plan->preload) {
      *environment++ = *variable;
    } else if (end > start) {
      end[-1] = 0;
      *environment++ = text;
    }
  }
  *environment = NULL;
}
