#include "resolve.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "giveway_hook.h"
#include "library.h"
#include "locate.h"

static void *library;
static pthread_once_t opened = PTHREAD_ONCE_INIT;

static void open_library(void) {
  char why[PATH_MAX];
  library = gw_locate(gw_soname, gw_library_variable, why, sizeof why);
  if (library == NULL) {
    char text[PATH_MAX + 64];
    snprintf(text, sizeof text, "no %s to run on: %s", gw_soname, why);
    gw_warn(text);
  }
}

void *gw_library(void) {
  pthread_once(&opened, open_library);
  return library;
}

#ifndef GIVEWAY_SHIM_INTERPOSES
void *gw_symbol(void *handle, const char *name) { return dlsym(handle, name); }
#endif

static int missing_function(void) { return gw_not_supported; }
static int missing_library(void) { return gw_no_device; }

/* dlsym also searches the dependencies of the real library, and one of these may need the shim. */
static bool is_ours(void *function) {
  Dl_info theirs, ours;
  return dladdr(function, &theirs) != 0 && dladdr(gw_soname, &ours) != 0 &&
         theirs.dli_fbase == ours.dli_fbase;
}

void *gw_resolve(uint64_t id) {
  int saved = errno;
  void *handle = gw_library();
  void *function = handle != NULL ? gw_symbol(handle, gw_names[id]) : NULL;
  if (function == NULL || is_ours(function)) {
    function = gw_missing(gw_names[id]);
    if (function == NULL) {
      function = handle != NULL ? (void *)missing_function : (void *)missing_library;
    }
  }
  __atomic_store_n(&gw_slots[id], function, __ATOMIC_RELEASE);
  errno = saved;
  return function;
}
