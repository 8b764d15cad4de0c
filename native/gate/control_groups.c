/* The limits of the process's control groups, of either version: containers, batch systems and
 * services have them. */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "giveway_hook.h"
#include "settings.h"

#define LINE (PATH_MAX + 256)

static bool names(const char *controllers, const char *wanted) {
  size_t size, length = strlen(wanted);
  for (; *controllers != '\0'; controllers += size + (controllers[size] == ',')) {
    size = strcspn(controllers, ",");
    if (size == length && memcmp(controllers, wanted, length) == 0) {
      return true;
    }
  }
  return false;
}

/* From the group up to the mount. In a container the group's path may not exist below its mount,
 * which then is the group itself. */
static uint64_t least_from(const char *mount, const char *group, bool unified,
                           uint64_t (*limit)(const char *folder, int unified)) {
  char folder[LINE];
  snprintf(folder, sizeof folder, "%s%s", mount, group);
  uint64_t least = UINT64_MAX;
  for (size_t end = strlen(mount);;) {
    uint64_t here = limit(folder, unified);
    least = here < least ? here : least;
    char *slash = strrchr(folder, '/');
    if (slash == NULL || (size_t)(slash - folder) < end) {
      return least;
    }
    *slash = '\0';
  }
}

uint64_t gw_least_in_groups(FILE *groups, const char *mount, const char *controller,
                            uint64_t (*limit)(const char *folder, int unified)) {
  uint64_t least = UINT64_MAX;
  char line[LINE], folder[512];
  mount = mount != NULL ? mount : gw_settings()->groups_mount;
  while (groups != NULL && fgets(line, sizeof line, groups) != NULL) {
    line[strcspn(line, "\n")] = '\0'; /* number:controllers:group */
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) {
      continue;
    }
    *group++ = '\0';
    bool unified = *++controllers == '\0';
    if (!unified && !names(controllers, controller)) {
      continue;
    }
    snprintf(folder, sizeof folder, "%s%s%s", mount, unified ? "" : "/", controllers);
    uint64_t here = least_from(folder, group, unified, limit);
    least = here < least ? here : least;
    if (unified) { /* a unified hierarchy beside old ones is mounted in a folder of its own */
      snprintf(folder, sizeof folder, "%s/unified", mount);
      here = least_from(folder, group, true, limit);
      least = here < least ? here : least;
    }
  }
  return least;
}
