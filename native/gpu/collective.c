#include "collective.h"

#include <pthread.h>
#include <string.h>

#define KERNELS 1024

_Atomic bool gw_any_job;

static struct {
  gw_word handle;
  bool collective;
} known[KERNELS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The names of NCCL's and RCCL's kernels, now and before version 2.19. */
static bool ask(unsigned id, gw_word kernel) {
  char name[256];
  return gw_driver_kernel_name(id, kernel, name, sizeof name) &&
         (strstr(name, "ncclDevKernel") != NULL || strstr(name, "ncclKernel") != NULL);
}

/* Where two handles hash to one place, the later one replaces the earlier one. */
bool gw_is_collective(unsigned id, gw_word kernel) {
  unsigned place = (unsigned)((kernel * UINT64_C(0x9E3779B97F4A7C15)) >> 54) % KERNELS;
  pthread_mutex_lock(&lock);
  bool found = known[place].handle == kernel, collective = known[place].collective;
  pthread_mutex_unlock(&lock);
  if (!found) {
    collective = ask(id, kernel);
    pthread_mutex_lock(&lock);
    known[place].handle = kernel;
    known[place].collective = collective;
    pthread_mutex_unlock(&lock);
  }
  return collective;
}

void gw_collective_forget(void) {
  pthread_mutex_lock(&lock);
  memset(known, 0, sizeof known);
  pthread_mutex_unlock(&lock);
}
