/* cuGetProcAddress gives the hooks. It chooses among the versions of a function by rules of its
 * own, so what it chose is recognised by its address. */
#include <dlfcn.h>
#include <pthread.h>

#include "hooks.h"
#include "ids.h"

#define TABLE 1024

static struct {
  void *real, *hook;
} table[TABLE];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static unsigned place(const void *real) { return (unsigned)((gw_word)real >> 4) % TABLE; }

static void fill(void) {
  void *library = gw_library();
  for (unsigned i = 0; library != NULL && i < gw_hook_count; i++) {
    void *real = gw_symbol(library, gw_names[gw_hooks[i].id]);
    if (real == NULL) {
      continue;
    }
    unsigned at = place(real);
    while (table[at].real != NULL && table[at].real != real) {
      at = (at + 1) % TABLE;
    }
    table[at].real = real;
    table[at].hook = gw_hooks[i].hook;
  }
}

static void replace(void **function) {
  pthread_once(&filled, fill);
  for (unsigned at = place(*function); table[at].real != NULL; at = (at + 1) % TABLE) {
    if (table[at].real == *function) {
      *function = table[at].hook;
      return;
    }
  }
}

GW_EXPORT int cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
  int result = ((int (*)(const char *, void **, int, uint64_t))gw_slots[GW_ID_cuGetProcAddress])(
      symbol, function, version, flags);
  if (result == 0 && function != NULL && *function != NULL) {
    replace(function);
  }
  return result;
}

GW_EXPORT int cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags,
                                  void *status) {
  int result =
      ((int (*)(const char *, void **, int, uint64_t, void *))gw_slots[GW_ID_cuGetProcAddress_v2])(
          symbol, function, version, flags, status);
  if (result == 0 && function != NULL && *function != NULL) {
    replace(function);
  }
  return result;
}
