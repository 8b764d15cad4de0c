/* Times that the user may set, read once. */
#ifndef GIVEWAY_SETTINGS_H
#define GIVEWAY_SETTINGS_H

#include <stdint.h>

struct gw_settings {
  uint64_t linger_ns;
  uint64_t max_wait_ns; /* 0: a held task waits for as long as it takes */
  uint64_t quantum_ns;
  uint64_t park_wait_ns;  /* how long a request to park waits for the device's work */
  uint64_t park_least_ns; /* how long a task that was parked for another one stays parked */
  uint64_t park_room_ns;  /* how long an allocation waits for another task to park */
  /* Bytes of host memory that the user says a parked process may take; UINT64_MAX: the user does
   * not say. */
  uint64_t park_host;
  const char *groups_mount; /* where control groups are mounted */
  uint64_t grace_ns;        /* 0: signals that ask a program to end open no gate */
};
const struct gw_settings *gw_settings(void);

#endif
