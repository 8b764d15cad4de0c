/* Each task holds a record lock on its row's byte range of the page file. The kernel drops the lock
 * when the process ends, for any reason and in any PID namespace. A forked child does not inherit
 * the lock. But to close any descriptor of the page file drops all locks that the process holds on
 * the file. So only page.c opens the file, and once. */
#include "liveness.h"

#include <errno.h>
#include <fcntl.h>

static int lock_range(struct gw_page *page, size_t start, size_t size, short type, int command,
                      struct flock *out) {
  struct flock lock = {
      .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)start, .l_len = (off_t)size};
  int saved = errno;
  int r;
  do {
    r = fcntl(page->fd, command, &lock);
  } while (r < 0 && errno == EINTR);
  int error = r < 0 ? errno : 0;
  errno = saved;
  if (out != NULL) {
    *out = lock;
  }
  return error;
}

static int lock_row(struct gw_page *page, uint32_t row, short type, int command,
                    struct flock *out) {
  size_t start = offsetof(struct gw_page_layout, rows) + row * sizeof(struct gw_row);
  return lock_range(page, start, sizeof(struct gw_row), type, command, out);
}

/* The daemon's lock is on the cache line of the header that names the daemon. */
static int lock_decider(struct gw_page *page, short type, int command, struct flock *out) {
  return lock_range(page, offsetof(struct gw_header, events), GW_CACHE_LINE, type, command, out);
}

int gw_row_claim(struct gw_page *page, uint32_t row) {
  return lock_row(page, row, F_WRLCK, F_SETLK, NULL);
}

void gw_row_release(struct gw_page *page, uint32_t row) {
  lock_row(page, row, F_UNLCK, F_SETLK, NULL);
}

bool gw_row_alive(struct gw_page *page, uint32_t row) {
  /* The kernel does not report a process's own locks to itself. */
  uint64_t owner = GW_READ(page->map->rows[row].owner);
  if (owner == GW_READ(gw_process.owner)) {
    return true;
  }
  struct flock found;
  int error = lock_row(page, row, F_WRLCK, F_GETLK, &found);
  return error != 0 ||
         found.l_type != F_UNLCK; /* unknown counts as alive: max_wait still bounds the wait */
}

int gw_decider_claim(struct gw_page *page) { return lock_decider(page, F_WRLCK, F_SETLK, NULL); }

void gw_decider_release(struct gw_page *page) { lock_decider(page, F_UNLCK, F_SETLK, NULL); }

bool gw_decider_alive(struct gw_page *page) {
  if (GW_READ(page->deciding)) {
    return true;
  }
  struct flock found;
  int error = lock_decider(page, F_WRLCK, F_GETLK, &found);
  return error != 0 || found.l_type != F_UNLCK; /* unknown: its heartbeat tells */
}
