/* hipGetProcAddress and hipGetDriverEntryPoint give the hooks: Triton takes every function that
 * way. What the runtime chose is recognised by its exported name, and failing that by the name that
 * was asked for. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "hooks.h"
#include "ids.h"

#ifdef GW_HAS_hipGetProcAddress /* 5.x has no such thing */

#define PER_THREAD 2 /* the flag that asks for _spt variants; the same in both functions */

static void replace(const char *asked, void **function, uint64_t flags) {
  Dl_info info;
  void *hook = NULL;
  if (dladdr(*function, &info) != 0 && info.dli_saddr == *function) {
    hook = gw_hook_of(info.dli_sname);
  } else {
    char variant[256];
    snprintf(variant, sizeof variant, "%s_spt", asked);
    hook = flags == PER_THREAD ? gw_hook_of(variant) : NULL;
    hook = hook != NULL ? hook : gw_hook_of(asked);
  }
  if (hook != NULL) {
    *function = hook;
  }
}

GW_EXPORT int hipGetProcAddress(const char *symbol, void **function, int version, uint64_t flags,
                                void *status) {
  int result =
      ((int (*)(const char *, void **, int, uint64_t, void *))gw_slots[GW_ID_hipGetProcAddress])(
          symbol, function, version, flags, status);
  if (result == 0 && function != NULL && *function != NULL) {
    replace(symbol, function, flags);
  }
  return result;
}

#ifdef GW_HAS_hipGetDriverEntryPoint
static int entry_point(unsigned id, const char *symbol, void **function, uint64_t flags,
                       void *status, uint64_t fallback) {
  int result = ((int (*)(const char *, void **, uint64_t, void *))gw_slots[id])(symbol, function,
                                                                                flags, status);
  if (result == 0 && function != NULL && *function != NULL) {
    replace(symbol, function, flags != 0 ? flags : fallback);
  }
  return result;
}

GW_EXPORT int hipGetDriverEntryPoint(const char *symbol, void **function, uint64_t flags,
                                     void *status) {
  return entry_point(GW_ID_hipGetDriverEntryPoint, symbol, function, flags, status, 0);
}

GW_EXPORT int hipGetDriverEntryPoint_spt(const char *symbol, void **function, uint64_t flags,
                                         void *status) {
  return entry_point(GW_ID_hipGetDriverEntryPoint_spt, symbol, function, flags, status, PER_THREAD);
}
#endif
#endif
