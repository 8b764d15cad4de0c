#include "host_memory.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "giveway_hook.h"
#include "settings.h"

/* The number after the word, in a file of lines such as "MemAvailable: 1234 kB"; UINT64_MAX: none.
 */
static uint64_t read_line(const char *path, const char *word) {
  FILE *file = fopen(path, "re");
  char name[64];
  unsigned long long value = 0, found = UINT64_MAX;
  while (file != NULL && fscanf(file, "%63s %llu%*[^\n]", name, &value) == 2) {
    if (strcmp(name, word) == 0) {
      found = value;
      break;
    }
  }
  if (file != NULL) {
    fclose(file);
  }
  return found;
}

/* The number in a file of one; UINT64_MAX: none, such as "max". */
static uint64_t read_number(const char *folder, const char *name) {
  char path[PATH_MAX + 64];
  unsigned long long value = UINT64_MAX;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "re");
  if (file != NULL) {
    value = fscanf(file, "%llu", &value) == 1 ? value : UINT64_MAX;
    fclose(file);
  }
  return value;
}

/* What the group's limit leaves. The kernel takes pages of files back before the limit bites. */
static uint64_t left_in(const char *folder, int unified) {
  uint64_t limit = read_number(folder, unified ? "memory.max" : "memory.limit_in_bytes");
  uint64_t used = read_number(folder, unified ? "memory.current" : "memory.usage_in_bytes");
  if (limit >= UINT64_MAX / 2 || used == UINT64_MAX) {
    return UINT64_MAX; /* version 1 writes a large number where there is no limit */
  }
  char stat[PATH_MAX + 64];
  snprintf(stat, sizeof stat, "%s/memory.stat", folder);
  uint64_t files = read_line(stat, unified ? "inactive_file" : "total_inactive_file");
  used -= files < used ? files : 0;
  return limit > used ? limit - used : 0;
}

static uint64_t left_in_groups(void) {
  FILE *groups = fopen(GW_GROUPS, "re");
  uint64_t least = gw_least_in_groups(groups, NULL, "memory", left_in);
  if (groups != NULL) {
    fclose(groups);
  }
  return least;
}

/* A virtual machine may begin with little memory and get more when programs touch it, so the user
 * may state what there is. A group's limit counts all the same: beyond it the kernel kills. */
uint64_t gw_host_memory(void) {
  uint64_t machine = gw_settings()->park_host, groups = left_in_groups();
  if (machine == UINT64_MAX) {
    uint64_t kib = read_line("/proc/meminfo", "MemAvailable:");
    machine = kib < UINT64_MAX / 1024 ? kib * 1024 : UINT64_MAX;
  }
  return groups < machine ? groups : machine;
}
