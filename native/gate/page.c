/* Finding, making, mapping and checking the page file of a device. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "folder.h"
#include "guard.h"
#include "keeper.h"
#include "robust.h"
#include "warn.h"

#define PAGE_SIZE_BYTES (sizeof(struct gw_page_layout))
#define FIRST_DESCRIPTOR 200 /* out of the way of programs that count on low numbers */

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
  int r = gw_folder_path(directory, sizeof directory);
  if (r != GW_OK) {
    return r;
  }
  const char *end = strrchr(device, '.'); /* the page of a job: no device's */
  bool job = end != NULL && strcmp(end, ".job") == 0;
  int n = snprintf(path, size, "%s/%s%s", directory, device, job ? "" : ".page");
  return n > 0 && (size_t)n < size ? GW_OK : gw_fail(GW_E_DIRECTORY, ENAMETOOLONG);
}

/* 0: unknown. */
static uint64_t this_boot(void) {
  char text[40] = "";
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  ssize_t size = fd >= 0 ? read(fd, text, 36) : -1;
  if (fd >= 0) {
    close(fd);
  }
  uint64_t boot = 0;
  for (const char *c = text; size == 36 && *c != '\0'; c++) {
    boot = boot * 31 + (unsigned char)*c;
  }
  return boot;
}

/* A page may be on a disk, where its rows outlive their processes. */
static bool of_another_boot(const struct gw_header *h) {
  uint64_t boot = GW_READ(h->boot), now = this_boot();
  return boot != 0 && now != 0 && boot != now;
}

static void write_header(struct gw_page_layout *map) {
  struct gw_header *h = &map->header;
  gw_lock_init(&h->lock);
  atomic_store(&h->abi_version, GW_ABI_VERSION);
  atomic_store(&h->header_size, sizeof(struct gw_header));
  atomic_store(&h->row_size, sizeof(struct gw_row));
  atomic_store(&h->row_count, GW_ROWS);
  atomic_store(&h->page_size, PAGE_SIZE_BYTES);
  atomic_store(&h->holder_offset, offsetof(struct gw_row, holder));
  atomic_store(&h->boot, this_boot());
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
  int error = gw_folder_share(fd);
  error = error == 0 ? posix_fallocate(fd, 0, (off_t)PAGE_SIZE_BYTES) : error;
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

static bool same_file(const struct gw_page *page, const struct stat *s) {
  return s->st_ino == page->inode && s->st_dev == page->filesystem;
}

/* The descriptor may be closed, and its number another file's. */
static bool is_file(const struct gw_page *page, struct stat *s) {
  return fstat(page->fd, s) == 0 && same_file(page, s);
}

int gw_page_check(struct gw_page *page) {
  int broken = GW_READ(page->broken);
  if (broken != 0) {
    return gw_fail(broken, 0);
  }
  int saved = errno, r = GW_OK;
  struct stat s;
  if (is_file(page, &s)) {
    r = s.st_nlink == 0 ? GW_E_DELETED : GW_OK;
  } else { /* the program has closed the descriptor, as daemons do: look at the path */
    bool found = lstat(page->path, &s) == 0;
    r = (found && !same_file(page, &s)) || (!found && errno == ENOENT) ? GW_E_DELETED : GW_OK;
    s.st_size = found ? s.st_size : (off_t)PAGE_SIZE_BYTES;
  }
  if (r == GW_OK && (size_t)s.st_size < PAGE_SIZE_BYTES) {
    r = GW_E_SIZE;
  }
  errno = saved;
  return r != GW_OK ? gw_fail(r, 0) : check_header(&page->map->header);
}

/* Whether a living process has a row, or is the daemon: in every version since 5. */
static bool in_use(int fd, const struct gw_header *head) {
  uint64_t size = GW_READ(head->row_size), first = GW_READ(head->header_size);
  uint32_t holder = GW_READ(head->holder);
  uint32_t offset = GW_READ(head->holder_offset), rows = offset != 0 ? GW_READ(head->row_count) : 0;
  for (uint32_t i = 0; !gw_is_kept(holder) && i < rows; i++) {
    uint64_t at = first + i * size + offset;
    if (pread(fd, &holder, sizeof holder, (off_t)at) != sizeof holder) {
      return false;
    }
  }
  return gw_is_kept(holder);
}

/* Removes a page of another version that no living process uses, and a page from before the machine
 * was started. True: the path is free. */
static bool remove_old(const char *path) {
  struct gw_header head;
  struct stat s;
  int fd = open_descriptor(path);
  bool gone = false;
  /* Locked, so that no process removes the page that another one has just made in its place. */
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &s) == 0) {
    bool old =
        pread(fd, &head, sizeof head, 0) == sizeof head && head.magic == GW_PAGE_MAGIC &&
        (of_another_boot(&head) || (head.abi_version != GW_ABI_VERSION && !in_use(fd, &head)));
    gone = s.st_nlink == 0 || (old && unlink(path) == 0);
  }
  if (fd >= 0) {
    close(fd);
  }
  return gone;
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
  } else if (!S_ISREG(s.st_mode) || !gw_folder_trusts(&s)) {
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
      if (r == GW_OK && of_another_boot(&page->map->header)) {
        r = gw_fail(GW_E_VERSION, 0);
      }
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

static int open_new(const char *device, int create, struct gw_page *page) {
  char directory[PATH_MAX];
  int r = gw_folder_path(directory, sizeof directory);
  if (r == GW_OK) {
    r = gw_folder_check(directory, create);
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

/* Under gw_process.lock: the page that this process has mapped already. */
static struct gw_page *known(const char *path) {
  struct stat s;
  struct gw_page *page = lstat(path, &s) == 0 ? gw_process.pages : NULL;
  while (page != NULL && !same_file(page, &s)) {
    page = page->next;
  }
  return page;
}

/* Under gw_process.lock. Two paths may lead to one file, and in the course of time one path to two:
 * the tasks on a deleted page go on ungated, and those that join now share a new page. */
static int find_or_open(const char *device, int create, struct gw_page **out) {
  struct gw_page *fresh = calloc(1, sizeof *fresh);
  if (fresh == NULL) {
    return gw_fail(GW_E_RESOURCES, ENOMEM);
  }
  int r = gw_page_path(device, fresh->path, sizeof fresh->path);
  struct gw_page *page = r == GW_OK ? known(fresh->path) : NULL;
  if (r == GW_OK && page == NULL) {
    r = open_new(device, create, fresh);
  }
  if (r != GW_OK || page != NULL) {
    free(fresh);
    *out = page;
    return r;
  }
  fresh->parked.available = UINT64_MAX;
  fresh->next = gw_process.pages;
  gw_process.pages = fresh;
  *out = fresh;
  return GW_OK;
}

int gw_page_open(const char *device, int create, gw_page **out) {
  int saved = errno;
  *out = NULL;
  pthread_mutex_lock(&gw_process.lock);
  gw_clock_compare();
  int r = find_or_open(device, create, out);
  pthread_mutex_unlock(&gw_process.lock);
  errno = saved;
  return r;
}

void gw_warn_page(int error, const char *device) {
  int code = gw_error_errno();
  char path[PATH_MAX] = "";
  if (gw_page_path(device, path, sizeof path) != GW_OK && getenv("GIVEWAY_SHARED") != NULL) {
    snprintf(path, sizeof path, "%s", getenv("GIVEWAY_SHARED"));
  }
  gw_fail(error, code);
  gw_warn_ungated(error, path);
}
