/* The time of kernels on the simulated device, and the log of kernels. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../engine/fake.h"
#include "stand_in.h"

int fake_physical[DEVICES] = {0, 1, 2, 3, 4, 5, 6, 7};

static struct device {
  pthread_mutex_t lock; /* one seat for all queues of the process */
  bool open;
  int busy; /* queues with work */
} devices[DEVICES] = {[0 ... DEVICES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static void write_log(const char *kernel) {
  const char *path = getenv("GIVEWAY_FAKE_HSA_LOG");
  int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (file >= 0) {
    char line[4096]; /* one write, because other processes write to the same file */
    int n = snprintf(line, sizeof line, "%d %.4000s\n", (int)getpid(), kernel);
    if (write(file, line, (size_t)n) != n) {
      perror(path);
      abort();
    }
    close(file);
  }
}

/* The runtime's own kernels, for fills and copies, take no time. */
static uint64_t duration(const char *kernel) {
  if (strncmp(kernel, "__amd_rocclr_", 13) == 0) {
    return 0;
  }
  if (strncmp(kernel, "ns_", 3) == 0) {
    return strtoull(kernel + 3, NULL, 10);
  }
  const char *given = getenv("GIVEWAY_FAKE_KERNEL_NS");
  return given != NULL ? strtoull(given, NULL, 10) : 0;
}

struct ran device_run(unsigned index, const char *kernel, uint64_t from_ns) {
  struct device *device = &devices[index];
  write_log(kernel);
  uint64_t now = fake_now(), ns = duration(kernel);
  if (ns == 0) {
    return (struct ran){now, now};
  }
  pthread_mutex_lock(&device->lock);
  if (!device->open) {
    share_open((int)index);
    device->open = true;
  }
  uint64_t began = 0, end = share_run((int)index, ns, 0, from_ns, &began);
  pthread_mutex_unlock(&device->lock);
  return (struct ran){began, end};
}

void device_busy(unsigned index, bool busy) {
  struct device *device = &devices[index];
  pthread_mutex_lock(&device->lock);
  device->busy += busy ? 1 : -1;
  if (device->open && device->busy == 0) {
    share_yield((int)index, true);
  }
  pthread_mutex_unlock(&device->lock);
}
