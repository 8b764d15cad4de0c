/* Numbers from the environment. Text that is no number, or out of range, counts as not set. */
#ifndef GIVEWAY_NUMBER_H
#define GIVEWAY_NUMBER_H

#include <stdlib.h>

static inline double gw_environment_number(const char *variable, double most, double otherwise) {
  const char *text = getenv(variable);
  char *end = NULL;
  double value = text != NULL && *text != '\0' ? strtod(text, &end) : -1;
  return value >= 0 && value <= most && *end == '\0' ? value : otherwise; /* refuses NaN, too */
}

static inline long gw_environment_integer(const char *variable, long least, long most,
                                          long otherwise) {
  const char *text = getenv(variable);
  char *end = NULL;
  long value = text != NULL && *text != '\0' ? strtol(text, &end, 10) : 0;
  return end != NULL && *end == '\0' && value >= least && value <= most ? value : otherwise;
}

#endif
