/* GIVEWAY_SHARED has a group's number or name. The name is looked up in /etc/group alone: the
 * library functions load plug-ins into the program, and may ask a server. `giveway run` asks them
 * and hands on the number. */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "warn.h"

#define NO_GROUP ((gid_t) - 1)

/* A line is NAME:PASSWORD:NUMBER:MEMBERS. */
static bool is_listed_as(const char *line, const char *name, gid_t *group) {
  size_t size = strlen(name);
  const char *password = line + size;
  if (strncmp(line, name, size) != 0 || *password != ':') {
    return false;
  }
  const char *number = strchr(password + 1, ':');
  return number != NULL && sscanf(number, ":%u:", group) == 1;
}

static gid_t group_of_name(const char *name) {
  FILE *file = fopen("/etc/group", "re");
  char *line = NULL;
  size_t size = 0;
  gid_t group = NO_GROUP;
  while (file != NULL && getline(&line, &size, file) > 0 && !is_listed_as(line, name, &group)) {
  }
  free(line);
  if (file != NULL) {
    fclose(file);
  }
  return group;
}

static bool is_member(gid_t group) {
  return group_member(group) || getegid() == group || geteuid() == 0;
}

/* NO_GROUP: the folder belongs to one user. */
static int read_group(gid_t *group) {
  const char *given = getenv("GIVEWAY_SHARED");
  *group = NO_GROUP;
  if (given == NULL || *given == '\0') {
    return GW_OK;
  }
  unsigned long number = strtoul(given, NULL, 10);
  bool is_number = strspn(given, "0123456789") == strlen(given) && number < NO_GROUP;
  *group = is_number ? (gid_t)number : group_of_name(given);
  if (*group == NO_GROUP) {
    return gw_fail(GW_E_NO_GROUP, 0);
  }
  return is_member(*group) ? GW_OK : gw_fail(GW_E_NOT_A_MEMBER, 0);
}

int gw_folder_path(char *path, size_t size) {
  gid_t group;
  int r = read_group(&group);
  if (r != GW_OK) {
    return r;
  }
  const char *given = getenv("GIVEWAY_DIR");
  int n;
  if (given != NULL && *given != '\0') {
    n = snprintf(path, size, "%s", given);
  } else if (group != NO_GROUP) {
    n = snprintf(path, size, "/dev/shm/giveway-group-%u", (unsigned)group);
  } else {
    n = snprintf(path, size, "/dev/shm/giveway-%u", (unsigned)geteuid());
  }
  return n > 0 && (size_t)n < size ? GW_OK : gw_fail(GW_E_DIRECTORY, ENAMETOOLONG);
}

/* The folder gets its name only when its permissions are set: another member may look. */
static int make_for_group(const char *path, gid_t group) {
  char temporary[PATH_MAX + 64];
  snprintf(temporary, sizeof temporary, "%s.%d.%lx", path, (int)getpid(), (unsigned long)gw_now());
  if (mkdir(temporary, 0700) != 0) {
    return errno;
  }
  int error = 0;
  if (chown(temporary, (uid_t)-1, group) != 0 || chmod(temporary, 02770) != 0 ||
      renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) != 0) {
    error = errno;
    rmdir(temporary);
  }
  return error == EEXIST ? 0 : error;
}

static int make(const char *path, gid_t group) {
  struct stat s;
  if (lstat(path, &s) == 0) {
    return 0;
  }
  if (group != NO_GROUP) {
    return make_for_group(path, group);
  }
  return mkdir(path, 0700) != 0 && errno != EEXIST ? errno : 0;
}

int gw_folder_check(const char *path, int create) {
  gid_t group;
  int r = read_group(&group);
  if (r != GW_OK) {
    return r;
  }
  int error = create ? make(path, group) : 0;
  if (error != 0) {
    return gw_fail(GW_E_DIRECTORY, error);
  }
  struct stat s;
  if (lstat(path, &s) != 0) {
    return errno == ENOENT ? gw_fail(GW_E_NO_PAGE, 0) : gw_fail(GW_E_DIRECTORY, errno);
  }
  if (!S_ISDIR(s.st_mode)) {
    return gw_fail(GW_E_DIRECTORY, ENOTDIR);
  }
  /* Every user may write to /dev/shm, so the folder may be another user's trap. Only members of a
   * group can give it a file. */
  if (group != NO_GROUP) {
    bool shared = s.st_gid == group && (s.st_mode & 07777) == 02770;
    return shared ? GW_OK : gw_fail(GW_E_NOT_SHARED, 0);
  }
  if (s.st_uid != geteuid() || (s.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return gw_fail(GW_E_DIRECTORY, EPERM);
  }
  return GW_OK;
}

bool gw_folder_trusts(const struct stat *file) {
  gid_t group;
  if (read_group(&group) != GW_OK) {
    return false;
  }
  if (group != NO_GROUP) {
    return file->st_gid == group && (file->st_mode & S_IRWXO) == 0;
  }
  return file->st_uid == geteuid();
}

int gw_folder_share(int fd) {
  gid_t group;
  if (read_group(&group) != GW_OK) {
    return EPERM;
  }
  if (group != NO_GROUP && fchown(fd, (uid_t)-1, group) != 0) {
    return errno;
  }
  return fchmod(fd, group != NO_GROUP ? 0660 : 0600) != 0 ? errno : 0;
}
