/* Times that the user may set, read once. */
#ifndef GIVEWAY_SETTINGS_H
#define GIVEWAY_SETTINGS_H

#include <stdint.h>

struct gw_settings {
  uint64_t linger_ns;
  uint64_t max_wait_ns; /* 0: a held task waits for as long as it takes */
  uint64_t quantum_ns;
  uint64_t grace_ns; /* 0: signals that ask a program to end open no gate */
};
const struct gw_settings *gw_settings(void);

#endif
