/* Numbers from the environment. Text that is no number, or out of range, counts as not set. */
#ifndef GIVEWAY_NUMBER_H
#define GIVEWAY_NUMBER_H

#include <stdlib.h>

/* A number such as 12.5, and where it ends: at its beginning where there is none. strtod would
 * follow the program's locale. */
static inline double gw_decimal(const char *text, const char **end) {
  const char *at = text;
  double digits = 0, scale = 1;
  for (; *at >= '0' && *at <= '9'; at++) {
    digits = digits * 10 + (*at - '0');
  }
  if (at > text && *at == '.') {
    for (at++; *at >= '0' && *at <= '9'; at++, scale *= 10) {
      digits = digits * 10 + (*at - '0');
    }
  }
  *end = at;
  return digits / scale;
}

static inline double gw_environment_number(const char *variable, double most, double otherwise) {
  const char *text = getenv(variable);
  const char *end = text;
  double value = text != NULL ? gw_decimal(text, &end) : 0;
  return end != text && *end == '\0' && value <= most ? value : otherwise;
}

static inline long gw_environment_integer(const char *variable, long least, long most,
                                          long otherwise) {
  const char *text = getenv(variable);
  char *end = NULL;
  long value = text != NULL && *text != '\0' ? strtol(text, &end, 10) : 0;
  return end != NULL && *end == '\0' && value >= least && value <= most ? value : otherwise;
}

#endif
