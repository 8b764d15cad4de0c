/* A program with a quota (cpu.max, a container's CPU limit) keeps no more cores busy than its quota
 * pays for, however many threads it has. The smallest quota of its group and the groups above
 * counts. */
#include "quota.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

static uint32_t limit_in(const char *folder, bool unified) {
  char quota[32] = "max", period[32] = "100000", unused[32];
  if (unified) {
    read_words(folder, "cpu.max", quota, period);
  } else if (read_words(folder, "cpu.cfs_quota_us", quota, unused)) {
    read_words(folder, "cpu.cfs_period_us", period, unused);
  }
  unsigned long allowed = 0, of = 0;
  if (sscanf(quota, "%lu", &allowed) != 1 || quota[0] == '-' || sscanf(period, "%lu", &of) != 1 ||
      allowed == 0 || of == 0) {
    return UINT32_MAX;
  }
  unsigned long cpus = (allowed + of - 1) / of;
  return cpus < UINT32_MAX ? (uint32_t)cpus : UINT32_MAX;
}

/* From the group up to the mount. In a container the group's path may not exist below its mount,
 * which then is the group itself. */
static uint32_t limit_of(const char *mount, const char *group, bool unified) {
  char folder[PATH];
  snprintf(folder, sizeof folder, "%s%s", mount, group);
  uint32_t least = UINT32_MAX;
  for (size_t end = strlen(mount);;) {
    uint32_t limit = limit_in(folder, unified);
    least = limit < least ? limit : least;
    char *slash = strrchr(folder, '/');
    if (slash == NULL || (size_t)(slash - folder) < end) {
      return least;
    }
    *slash = '\0';
  }
}

static bool names_cpu(const char *controllers) {
  size_t size;
  for (; *controllers != '\0'; controllers += size + (controllers[size] == ',')) {
    size = strcspn(controllers, ",");
    if (size == 3 && memcmp(controllers, "cpu", 3) == 0) {
      return true;
    }
  }
  return false;
}

uint32_t gw_quota_of(const char *groups, const char *mount) {
  uint32_t least = UINT32_MAX;
  for (const char *line = groups; *line != '\0'; line += strcspn(line, "\n"), line += *line != 0) {
    char controllers[256] = "", group[4096] = "", folder[512];
    int n = sscanf(line, "%*d:%255[^:\n]:%4095[^\n]", controllers, group);
    bool unified = n < 1 && sscanf(line, "0::%4095[^\n]", group) == 1;
    if (!unified && !names_cpu(controllers)) {
      continue;
    }
    /* A unified hierarchy beside old ones is mounted in a folder of its own. */
    snprintf(folder, sizeof folder, "%s%s%s", mount, unified ? "" : "/", controllers);
    uint32_t limit = limit_of(folder, group, unified);
    least = limit < least ? limit : least;
    if (unified) {
      snprintf(folder, sizeof folder, "%s/unified", mount);
      limit = limit_of(folder, group, true);
      least = limit < least ? limit : least;
    }
  }
  return least;
}

uint32_t gw_read_quota(void) {
  static char groups[16384]; /* of the watcher, which alone calls this */
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (file == NULL) {
    return UINT32_MAX;
  }
  groups[fread(groups, 1, sizeof groups - 1, file)] = '\0';
  fclose(file);
  return gw_quota_of(groups, "/sys/fs/cgroup");
}
