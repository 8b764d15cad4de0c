/* Times from the environment, read once: GIVEWAY_LINGER_MS, GIVEWAY_MAX_WAIT_MS,
 * GIVEWAY_QUANTUM_MS. */
#include <stdlib.h>

#include "internal.h"

static struct gw_settings settings;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t milliseconds(const char *variable, double fallback) {
  const char *text = getenv(variable);
  double value = fallback;
  if (text != NULL && *text != '\0') {
    char *end;
    double given = strtod(text, &end);
    if (*end == '\0' && given >= 0 && given <= 1e9) { /* also refuses NaN */
      value = given;
    }
  }
  return (uint64_t)(value * (double)GW_MS);
}

static void read_settings(void) {
  settings.linger_ns = milliseconds("GIVEWAY_LINGER_MS", 2);
  settings.max_wait_ns = milliseconds("GIVEWAY_MAX_WAIT_MS", 1000);
  settings.quantum_ns = milliseconds("GIVEWAY_QUANTUM_MS", 10);
}

const struct gw_settings *gw_settings(void) {
  pthread_once(&once, read_settings);
  return &settings;
}
