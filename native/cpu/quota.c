/* A program with a quota (cpu.max, a container's CPU limit) keeps no more cores busy than its quota
 * pays for, however many threads it has. The smallest quota of its group and the groups above
 * counts. */
#include "quota.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "giveway_hook.h"

#define PATH 4352

static bool read_words(const char *folder, const char *name, char *first, char *second) {
  char path[PATH + 64];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "re");
  int n = file != NULL ? fscanf(file, "%31s %31s", first, second) : 0;
  if (file != NULL) {
    fclose(file);
  }
  return n >= 1;
}

static uint64_t limit_in(const char *folder, int unified) {
  char quota[32] = "max", period[32] = "100000", unused[32];
  if (unified) {
    read_words(folder, "cpu.max", quota, period);
  } else if (read_words(folder, "cpu.cfs_quota_us", quota, unused)) {
    read_words(folder, "cpu.cfs_period_us", period, unused);
  }
  unsigned long allowed = 0, of = 0;
  if (sscanf(quota, "%lu", &allowed) != 1 || quota[0] == '-' || sscanf(period, "%lu", &of) != 1 ||
      allowed == 0 || of == 0) {
    return UINT64_MAX;
  }
  return (allowed + of - 1) / of;
}

static uint32_t least_of(FILE *groups, const char *mount) {
  uint64_t least = gw_least_in_groups(groups, mount, "cpu", limit_in);
  if (groups != NULL) {
    fclose(groups);
  }
  return least < UINT32_MAX ? (uint32_t)least : UINT32_MAX;
}

uint32_t gw_quota_of(const char *groups, const char *mount) {
  return least_of(fmemopen((void *)groups, strlen(groups), "r"), mount);
}

uint32_t gw_read_quota(void) { return least_of(fopen(GW_GROUPS, "re"), NULL); }
