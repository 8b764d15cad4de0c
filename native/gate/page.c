/* Finding, making, mapping and checking the page file of a device. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "guard.h"
#include "liveness.h"
#include "robust.h"
#include "warn.h"

#define PAGE_SIZE_BYTES (sizeof(struct gw_page_layout))
#define FIRST_DESCRIPTOR 200 /* out of the way of programs that count on low numbers */

static int page_directory(char *path, size_t size) {
  const char *given = getenv("GIVEWAY_DIR");
  int n = given != NULL && *given != '\0'
              ? snprintf(path, size, "%s", given)
              : snprintf(path, size, "/dev/shm/giveway-%u", (unsigned)geteuid());
  return n > 0 && (size_t)n < size ? GW_OK : gw_fail(GW_E_DIRECTORY, ENAMETOOLONG);
}

static bool valid_device(const char *device) {
  size_t n = strlen(device);
  if (n == 0 || n >= GW_DEVICE_SIZE || device[0] == '.') {
    return false;
  }
  return strspn(device, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

int gw_page_path(const char *device, char *path, size_t size) {
  if (!valid_device(device)) {
    return gw_fail(GW_E_ARGUMENT, 0);
  }
  char directory[PATH_MAX];
  int r = page_directory(directory, sizeof directory);
  if (r != GW_OK) {
    return r;
  }
  const char *end = strrchr(device, '.'); /* the page of a job: no device's */
  bool job = end != NULL && strcmp(end, ".job") == 0;
  int n = snprintf(path, size, "%s/%s%s", directory, device, job ? "" : ".page");
  return n > 0 && (size_t)n < size ? GW_OK : gw_fail(GW_E_DIRECTORY, ENAMETOOLONG);
}

/* Every user may write to /dev/shm, so the directory may be another user's trap. */
static int check_directory(const char *path, int create) {
  if (create && mkdir(path, 0700) != 0 && errno != EEXIST) {
    return gw_fail(GW_E_DIRECTORY, errno);
  }
  struct stat s;
  if (lstat(path, &s) != 0) {
    return errno == ENOENT ? gw_fail(GW_E_NO_PAGE, 0) : gw_fail(GW_E_DIRECTORY, errno);
  }
  if (!S_ISDIR(s.st_mode)) {
    return gw_fail(GW_E_DIRECTORY, ENOTDIR);
  }
  if (s.st_uid != geteuid() || (s.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return gw_fail(GW_E_DIRECTORY, EPERM);
  }
  return GW_OK;
}

static void write_header(struct gw_page_layout *map) {
  struct gw_header *h = &map->header;
  gw_lock_init(&h->lock);
  atomic_store(&h->abi_version, GW_ABI_VERSION);
  atomic_store(&h->header_size, sizeof(struct gw_header));
  atomic_store(&h->row_size, sizeof(struct gw_row));
  atomic_store(&h->row_count, GW_ROWS);
  atomic_store(&h->page_size, PAGE_SIZE_BYTES);
  atomic_store(&h->next_ticket, 1);
  atomic_store(&h->magic, GW_PAGE_MAGIC);
}

/* The file gets its name only when it is complete, so that no process ever sees half a page. */
static int create_file(const char *path) {
  char temporary[PATH_MAX + 32];
  snprintf(temporary, sizeof temporary, "%s.%d.%lx", path, (int)getpid(), (unsigned long)gw_now());
  int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return gw_fail(errno == ENOSPC ? GW_E_SPACE : GW_E_ACCESS, errno);
  }
  int r = GW_OK;
  /* Reserve the memory now: a write into a sparse page on a full /dev/shm would be a SIGBUS. */
  int error = fchmod(fd, 0600) != 0 ? errno : posix_fallocate(fd, 0, (off_t)PAGE_SIZE_BYTES);
  if (error != 0) {
    r = gw_fail(error == ENOSPC ? GW_E_SPACE : GW_E_ACCESS, error);
  } else {
    struct gw_page_layout *map =
        mmap(NULL, PAGE_SIZE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
      r = gw_fail(GW_E_RESOURCES, errno);
    } else {
      write_header(map);
      munmap(map, PAGE_SIZE_BYTES);
      if (link(temporary, path) != 0 && errno != EEXIST) {
        r = gw_fail(GW_E_ACCESS, errno);
      }
    }
  }
  unlink(temporary);
  close(fd);
  return r;
}

static int open_descriptor(const char *path) {
  int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return -1;
  }
  int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);
  if (high < 0) {
    return fd;
  }
  close(fd);
  return high;
}

static int check_header(const struct gw_header *h) {
  if (GW_READ(h->magic) != GW_PAGE_MAGIC) {
    return gw_fail(GW_E_MAGIC, 0);
  }
  if (GW_READ(h->abi_version) != GW_ABI_VERSION) {
    return gw_fail(GW_E_VERSION, 0);
  }
  if (GW_READ(h->header_size) != sizeof(struct gw_header) ||
      GW_READ(h->row_size) != sizeof(struct gw_row) || GW_READ(h->row_count) != GW_ROWS ||
      GW_READ(h->page_size) != PAGE_SIZE_BYTES) {
    return gw_fail(GW_E_MAGIC, 0);
  }
  return gw_lock_is_sane(&h->lock) ? GW_OK : gw_fail(GW_E_LOCK, 0);
}

static bool is_file(const struct gw_page *page, struct stat *s) {
  return fstat(page->fd, s) == 0 && s->st_ino == page->inode && s->st_dev == page->filesystem;
}

/* A program that closes every descriptor, as daemons do, has closed the page's, and with it dropped
 * this process's locks. */
static int reopen(struct gw_page *page, struct stat *s) {
  if (atomic_flag_test_and_set(&page->reopening)) {
    return gw_fail(GW_E_ACCESS, EBADF); /* another thread is reopening it */
  }
  int r = GW_OK;
  if (!is_file(page, s)) {
    page->fd = open_descriptor(page->path); /* the old number may be another file by now */
    if (page->fd < 0 || !is_file(page, s)) {
      r = gw_fail(GW_E_ACCESS, page->fd < 0 ? errno : ESTALE);
    } else {
      uint64_t mine = atomic_load(&gw_process.owner);
      for (uint32_t i = 0; i < gw_rows_used(page); i++) {
        if (atomic_load(&page->map->rows[i].owner) == mine) {
          gw_row_claim(page, i);
        }
      }
      if (atomic_load(&page->deciding)) {
        gw_decider_claim(page);
      }
    }
  }
  atomic_flag_clear(&page->reopening);
  return r;
}

int gw_page_check(struct gw_page *page) {
  int broken = GW_READ(page->broken);
  if (broken != 0) {
    return gw_fail(broken, 0);
  }
  struct stat s;
  int saved = errno;
  int r = is_file(page, &s) ? GW_OK : reopen(page, &s);
  if (r == GW_OK && s.st_nlink == 0) {
    r = gw_fail(GW_E_DELETED, 0); /* programs that start now share a new page */
  }
  if (r == GW_OK && (size_t)s.st_size < PAGE_SIZE_BYTES) {
    r = gw_fail(GW_E_SIZE, 0);
  }
  errno = saved;
  return r != GW_OK ? r : check_header(&page->map->header);
}

static bool is_other_version(int fd) {
  struct {
    uint64_t magic;
    uint32_t abi_version;
  } head = {0};
  return pread(fd, &head, sizeof head, 0) == sizeof head && head.magic == GW_PAGE_MAGIC &&
         head.abi_version != GW_ABI_VERSION;
}

static int map_page(const char *path, struct gw_page *page) {
  page->fd = open_descriptor(path);
  if (page->fd < 0) {
    return errno == ENOENT ? gw_fail(GW_E_NO_PAGE, 0) : gw_fail(GW_E_ACCESS, errno);
  }
  struct stat s;
  int r = GW_OK;
  if (fstat(page->fd, &s) != 0) {
    r = gw_fail(GW_E_ACCESS, errno);
  } else if (!S_ISREG(s.st_mode) || s.st_uid != geteuid()) {
    r = gw_fail(GW_E_ACCESS, EPERM);
  } else if ((size_t)s.st_size < PAGE_SIZE_BYTES) {
    r = gw_fail(is_other_version(page->fd) ? GW_E_VERSION : GW_E_SIZE, 0);
  } else {
    page->inode = s.st_ino;
    page->filesystem = s.st_dev;
    page->map = mmap(NULL, PAGE_SIZE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, page->fd, 0);
    if (page->map == MAP_FAILED) {
      r = gw_fail(GW_E_RESOURCES, errno);
    } else {
      gw_guard_page(page);
      r = check_header(&page->map->header);
      if (r != GW_OK) {
        munmap(page->map, PAGE_SIZE_BYTES);
      }
    }
  }
  if (r != GW_OK) {
    gw_unguard_page(page);
    close(page->fd);
  }
  return r;
}

/* Removes a page of another version whose last task is gone. */
static bool remove_old(const char *path) {
  int fd = open_descriptor(path);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; /* any row's, to the end */
  bool old = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK &&
             is_other_version(fd) && unlink(path) == 0;
  if (fd >= 0) {
    close(fd);
  }
  return old;
}

static int open_new(const char *device, int create, struct gw_page *page) {
  char directory[PATH_MAX];
  int r = page_directory(directory, sizeof directory);
  if (r == GW_OK) {
    r = check_directory(directory, create);
  }
  if (r != GW_OK) {
    return r;
  }
  snprintf(page->device, sizeof page->device, "%s", device);
  r = map_page(page->path, page);
  if (r == GW_E_VERSION && remove_old(page->path)) {
    r = GW_E_NO_PAGE;
  }
  if (r == GW_E_NO_PAGE && create) {
    r = create_file(page->path);
    if (r == GW_OK) {
      r = map_page(page->path, page);
    }
  }
  return r;
}

/* The tasks on a deleted page go on ungated; those that join now share a new page. */
static bool deleted(const struct gw_page *page) {
  struct stat s;
  return is_file(page, &s) && s.st_nlink == 0;
}

/* Under gw_process.lock. By path, because a program that changes GIVEWAY_DIR means another page. */
static int find_or_open(const char *device, int create, struct gw_page **out) {
  struct gw_page *fresh = calloc(1, sizeof *fresh);
  if (fresh == NULL) {
    return gw_fail(GW_E_RESOURCES, ENOMEM);
  }
  int r = gw_page_path(device, fresh->path, sizeof fresh->path);
  struct gw_page *page = gw_process.pages;
  while (r == GW_OK && page != NULL && (strcmp(page->path, fresh->path) != 0 || deleted(page))) {
    page = page->next;
  }
  if (r == GW_OK && page == NULL) {
    r = open_new(device, create, fresh);
  }
  if (r != GW_OK || page != NULL) {
    free(fresh);
    *out = page;
    return r;
  }
  fresh->next = gw_process.pages;
  gw_process.pages = fresh;
  *out = fresh;
  return GW_OK;
}

int gw_page_open(const char *device, int create, gw_page **out) {
  int saved = errno;
  *out = NULL;
  pthread_mutex_lock(&gw_process.lock);
  int r = find_or_open(device, create, out);
  pthread_mutex_unlock(&gw_process.lock);
  errno = saved;
  return r;
}

void gw_warn_page(int error, const char *device) {
  int code = gw_error_errno();
  char path[PATH_MAX] = "";
  gw_page_path(device, path, sizeof path);
  gw_fail(error, code);
  gw_warn_ungated(error, path);
}
