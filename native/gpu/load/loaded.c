/* A program may bring its own copy of the library under another name, as PyTorch's ROCm wheel does:
 * the system's beside it would give one process two runtimes. And where the shim's SONAME has
 * satisfied a program, the loader has not looked into the folders of the program's RUNPATH. */
#include "loaded.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library.h"

#define PATHS 32

struct paths {
  const char *soname;
  char own[PATH_MAX];
  unsigned count;
  char path[PATHS][PATH_MAX];
};

static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? (size_t)(slash - path) : 0;
}

static const char *file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

static size_t stem_length(const char *soname) {
  const char *end = strstr(soname, ".so");
  return end != NULL ? (size_t)(end - soname) + 3 : 0;
}

static bool has_stem(const char *soname, const char *name) {
  size_t n = stem_length(soname);
  return n > 0 && strncmp(name, soname, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

int gw_is_driver(const char *path) { return has_stem(gw_soname, file_name(path)); }

/* A shim for another generation of the library lies beside this one. */
static bool is_beside_us(const struct paths *paths, const char *path) {
  size_t n = folder_length(path);
  return n == folder_length(paths->own) && strncmp(path, paths->own, n) == 0;
}

static void add(struct paths *paths, const char *folder, size_t length, const char *rest) {
  if (paths->count < PATHS) {
    char *to = paths->path[paths->count];
    int n = snprintf(to, PATH_MAX, "%.*s%s", (int)length, folder, rest);
    paths->count += n > 0 && n < PATH_MAX;
  }
}

/* Adds the folders of a RUNPATH; those with words of the loader other than $ORIGIN are left out. */
static void add_run_path(struct paths *paths, const char *list, const char *file) {
  char origin[PATH_MAX] = "";
  if (file[0] != '\0') {
    snprintf(origin, sizeof origin, "%.*s", (int)folder_length(file), file);
  } else { /* the program itself */
    ssize_t n = readlink("/proc/self/exe", origin, sizeof origin - 1);
    origin[n > 0 ? n : 0] = '\0';
    origin[folder_length(origin)] = '\0';
  }
  while (*list != '\0') {
    size_t n = strcspn(list, ":");
    size_t word = strncmp(list, "$ORIGIN", 7) == 0 ? 7 : strncmp(list, "${ORIGIN}", 9) == 0 ? 9 : 0;
    if (n > 0 && memchr(list + word, '$', n - word) == NULL) {
      char folder[PATH_MAX], name[NAME_MAX];
      int length = snprintf(folder, sizeof folder, "%s%.*s", word != 0 ? origin : "",
                            (int)(n - word), list + word);
      snprintf(name, sizeof name, "/%s", paths->soname);
      if (length > 0 && (size_t)length < sizeof folder) {
        add(paths, folder, (size_t)length, name);
      }
    }
    list += list[n] == '\0' ? n : n + 1;
  }
}

static const ElfW(Dyn) * dynamic_of(const struct dl_phdr_info *info) {
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type == PT_DYNAMIC) {
      return (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    }
  }
  return NULL;
}

static void look_into(struct paths *paths, const struct dl_phdr_info *info) {
  const ElfW(Dyn) *dynamic = dynamic_of(info);
  const char *strings = NULL;
  for (const ElfW(Dyn) *d = dynamic; d != NULL && d->d_tag != DT_NULL; d++) {
    if (d->d_tag == DT_STRTAB) { /* the loader has relocated it, except in the vDSO */
      strings = (const void *)(d->d_un.d_ptr < info->dlpi_addr ? d->d_un.d_ptr + info->dlpi_addr
                                                               : d->d_un.d_ptr);
    }
  }
  bool asks = false;
  const char *list = NULL;
  for (const ElfW(Dyn) *d = dynamic; strings != NULL && d->d_tag != DT_NULL; d++) {
    const char *text = strings + d->d_un.d_val;
    if (d->d_tag == DT_NEEDED && strcmp(text, paths->soname) == 0) {
      asks = true;
    } else if (d->d_tag == DT_RUNPATH || (d->d_tag == DT_RPATH && list == NULL)) {
      list = text;
    }
  }
  if (asks && list != NULL) {
    add_run_path(paths, list, info->dlpi_name);
  }
}

static int collect(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  struct paths *paths = context;
  const char *path = info->dlpi_name;
  if (path[0] == '/' && has_stem(paths->soname, file_name(path)) && !is_beside_us(paths, path)) {
    /* In front of the paths where a file would look for it. */
    unsigned last = paths->count < PATHS ? paths->count : PATHS - 1;
    memmove(paths->path[1], paths->path[0], last * sizeof paths->path[0]);
    snprintf(paths->path[0], PATH_MAX, "%s", path);
    paths->count = last + 1;
  } else {
    look_into(paths, info);
  }
  return 0;
}

int gw_try_loaded(const char *soname, int (*try)(void *context, const char *path), void *context) {
  struct paths *paths = calloc(1, sizeof *paths);
  int done = 0;
  if (paths != NULL) {
    paths->soname = soname;
    Dl_info own;
    snprintf(paths->own, sizeof paths->own, "%s", dladdr(gw_soname, &own) ? own.dli_fname : "");
    dl_iterate_phdr(collect, paths);
    for (unsigned i = 0; i < paths->count && !done; i++) {
      done = try(context, paths->path[i]);
    }
  }
  free(paths);
  return done;
}
