/* Two logical CPUs of one core compete for it, so programs are compared by the cores that they may
 * use. A core has the number of the lowest of its logical CPUs. */
#include "affinity.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CPUS (GW_CORES_SIZE * 64)

static _Atomic uint16_t core_of[CPUS]; /* 1 more than the core's number; 0: not read yet */

static unsigned read_core(unsigned cpu) {
  char path[96];
  unsigned lowest = cpu;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
  FILE *file = fopen(path, "re");
  if (file != NULL) {
    if (fscanf(file, "%u", &lowest) != 1 || lowest >= CPUS) {
      lowest = cpu;
    }
    fclose(file);
  }
  atomic_store(&core_of[cpu], (uint16_t)(lowest + 1));
  return lowest;
}

static void add(const cpu_set_t *cpus, uint64_t *cores) {
  for (unsigned cpu = 0; cpu < CPUS; cpu++) {
    if (CPU_ISSET(cpu, cpus)) {
      unsigned known = atomic_load(&core_of[cpu]);
      unsigned core = known != 0 ? known - 1 : read_core(cpu);
      cores[core / 64] |= UINT64_C(1) << core % 64;
    }
  }
}

void gw_read_cores(uint64_t *cores) {
  memset(cores, 0, GW_CORES_SIZE * sizeof *cores);
  pid_t own = (pid_t)syscall(SYS_gettid);
  cpu_set_t all, cpus;
  CPU_ZERO(&all);
  DIR *threads = opendir("/proc/self/task");
  for (struct dirent *entry; threads != NULL && (entry = readdir(threads)) != NULL;) {
    pid_t thread = (pid_t)atoi(entry->d_name);
    if (thread > 0 && thread != own && sched_getaffinity(thread, sizeof cpus, &cpus) == 0) {
      CPU_OR(&all, &all, &cpus);
    }
  }
  if (threads != NULL) {
    closedir(threads);
  }
  if (CPU_COUNT(&all) == 0) { /* unknown, or more CPUs than the set has room for */
    memset(&all, 0xFF, sizeof all);
  }
  add(&all, cores);
}

void gw_keep_cores(cpu_set_t *cpus, const uint64_t *cores) {
  for (unsigned cpu = 0; cpu < CPUS; cpu++) {
    unsigned known = atomic_load(&core_of[cpu]);
    unsigned core = known != 0 ? known - 1 : cpu;
    if ((cores[core / 64] >> core % 64 & 1) == 0) {
      CPU_CLR(cpu, cpus);
    }
  }
}
