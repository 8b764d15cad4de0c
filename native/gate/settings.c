#include "settings.h"

#include <pthread.h>
#include <string.h>

#include "number.h"

#define GIB (1024.0 * 1024 * 1024)

static struct gw_settings settings;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t milliseconds(const char *variable, double otherwise) {
  return (uint64_t)(gw_environment_number(variable, 1e9, otherwise) * 1e6);
}

static void read_settings(void) {
  settings.linger_ns = milliseconds("GIVEWAY_LINGER_MS", 2);
  settings.max_wait_ns = milliseconds("GIVEWAY_MAX_WAIT_MS", 1000);
  settings.quantum_ns = milliseconds("GIVEWAY_QUANTUM_MS", 10);
  settings.park_wait_ns = milliseconds("GIVEWAY_PARK_WAIT_MS", 10000);
  settings.park_least_ns = milliseconds("GIVEWAY_PARK_LEAST_MS", 5000);
  settings.park_room_ns = milliseconds("GIVEWAY_PARK_ROOM_MS", 60000);
  double stated = gw_environment_number("GIVEWAY_PARK_HOST_GIB", 1e6, -1);
  settings.park_host = stated >= 0 ? (uint64_t)(stated * GIB) : UINT64_MAX;
  const char *mount = getenv("GIVEWAY_CGROUP");
  mount = mount != NULL && *mount != '\0' ? strdup(mount) : NULL;
  settings.groups_mount = mount != NULL ? mount : "/sys/fs/cgroup";
  settings.grace_ns = milliseconds("GIVEWAY_GRACE_MS", 10000);
}

const struct gw_settings *gw_settings(void) {
  pthread_once(&once, read_settings);
  return &settings;
}
