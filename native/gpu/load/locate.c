/* Searches in the loader's own order: loaded libraries, the RUNPATH of files that ask for the
 * library, LD_LIBRARY_PATH, the loader's cache, its default folders. dlopen by name would return
 * the shim, whose SONAME is the same. */
#include "locate.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library.h"
#include "loaded.h"

struct search {
  void *found;
  char *why; /* the first candidate that exists and did not open, in the loader's words */
  size_t size;
};

static pthread_mutex_t first_lock = PTHREAD_MUTEX_INITIALIZER;
static char first[PATH_MAX];

void gw_locate_first(const char *path) {
  pthread_mutex_lock(&first_lock);
  if (first[0] == '\0' && strlen(path) < sizeof first) {
    strcpy(first, path);
  }
  pthread_mutex_unlock(&first_lock);
}

#ifndef GIVEWAY_SHIM_OPENS
void *gw_open(const char *name, int flags) { return dlopen(name, flags); }
#endif

static struct link_map *map_of(void *handle) {
  struct link_map *map = NULL;
  return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 ? map : NULL;
}

static struct link_map *own_map(void) {
  Dl_info info;
  struct link_map *map = NULL;
  return dladdr1(gw_soname, &info, (void **)&map, RTLD_DL_LINKMAP) != 0 ? map : NULL;
}

static bool try(struct search *search, const char *path) {
  if (access(path, F_OK) != 0) {
    return false;
  }
  void *handle = gw_open(path, RTLD_LAZY | RTLD_LOCAL);
  if (handle == NULL) {
    if (search->why[0] == '\0') {
      snprintf(search->why, search->size, "%s", dlerror());
    }
    return false;
  }
  if (map_of(handle) == own_map()) {
    dlclose(handle);
    return false;
  }
  search->found = handle;
  return true;
}

static bool try_first(struct search *search) {
  char path[PATH_MAX];
  pthread_mutex_lock(&first_lock);
  memcpy(path, first, sizeof path);
  pthread_mutex_unlock(&first_lock);
  return path[0] != '\0' && try(search, path);
}

static int try_loaded(void *search, const char *path) { return try(search, path); }

static bool try_in(struct search *search, const char *folder, size_t length, const char *soname) {
  char path[PATH_MAX];
  int n = snprintf(path, sizeof path, "%.*s/%s", (int)length, folder, soname);
  return n > 0 && (size_t)n < sizeof path && try(search, path);
}

static bool try_list(struct search *search, const char *list, const char *soname) {
  while (list != NULL && *list != '\0') {
    size_t n = strcspn(list, ":;");
    if (n == 0 ? try_in(search, ".", 1, soname) : try_in(search, list, n, soname)) {
      return true;
    }
    list += list[n] == '\0' ? n : n + 1;
  }
  return false;
}

/* /etc/ld.so.cache as every glibc since 2.2 can write it, and since 2.32 writes only. */
struct cache_entry {
  int32_t flags;
  uint32_t key, value; /* offsets of strings */
  uint32_t os_version;
  uint64_t hardware;
};
struct cache_header {
  char magic[20];
  uint32_t count;
  uint32_t strings_size;
  uint32_t unused[5];
  struct cache_entry entries[];
};
#define CACHE_MAGIC "glibc-ld.so.cache1.1"

static bool try_entries(struct search *search, const char *file, size_t size, const char *soname) {
  const char *start = memmem(file, size, CACHE_MAGIC, sizeof CACHE_MAGIC - 1);
  if (start == NULL || ((uintptr_t)start & 7) != 0) {
    return false;
  }
  size -= (size_t)(start - file);
  const struct cache_header *header = (const void *)start;
  if (size < sizeof *header ||
      header->count > (size - sizeof *header) / sizeof(struct cache_entry)) {
    return false;
  }
  for (uint32_t i = 0; i < header->count; i++) {
    const struct cache_entry *entry = &header->entries[i];
    if (entry->key < size && entry->value < size && strcmp(start + entry->key, soname) == 0 &&
        try(search, start + entry->value)) {
      return true;
    }
  }
  return false;
}

static bool try_cache(struct search *search, const char *soname) {
  bool found = false;
  int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
  struct stat s;
  if (fd >= 0 && fstat(fd, &s) == 0 && s.st_size > 0) {
    size_t size = (size_t)s.st_size;
    char *file = malloc(size + 1); /* strings end even in a damaged cache */
    if (file != NULL && read(fd, file, size) == s.st_size) {
      file[size] = '\0';
      found = try_entries(search, file, size, soname);
    }
    free(file);
  }
  if (fd >= 0) {
    close(fd);
  }
  return found;
}

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#endif
#define DEFAULT_FOLDERS "/lib/" MULTIARCH ":/usr/lib/" MULTIARCH ":/lib64:/usr/lib64:/lib:/usr/lib"

void *gw_locate(const char *soname, const char *variable, char *why, unsigned long size) {
  struct search search = {.why = why, .size = size};
  why[0] = '\0';
#ifdef GIVEWAY_SHIM_INTERPOSES
  /* The program's other calls go to the library that it has loaded, so these must too, whatever the
   * environment says. Here dlopen by name works, for the hooks' library has another name. */
  search.found = gw_open(soname, RTLD_LAZY | RTLD_NOLOAD);
  if (search.found != NULL || gw_try_loaded(soname, try_loaded, &search)) {
    return search.found;
  }
#endif
  const char *given = getenv(variable);
  if (given != NULL && *given != '\0') {
    if (!try(&search, given) && why[0] == '\0') {
      snprintf(why, size, "%s says %s, which is %s", variable, given,
               access(given, F_OK) == 0 ? "giveway's own" : "not there");
    }
    return search.found;
  }
  if (!try_first(&search) && !gw_try_loaded(soname, try_loaded, &search) &&
      !try_list(&search, getenv("LD_LIBRARY_PATH"), soname) && !try_cache(&search, soname) &&
      !try_list(&search, DEFAULT_FOLDERS, soname) &&
      !try_list(&search, gw_library_folders, soname) && why[0] == '\0') {
    snprintf(why, size, "not on LD_LIBRARY_PATH, in the loader's cache or its default folders");
  }
  return search.found;
}
