#include "runtime.h"

#include "interrupt.h"
#include "spinning.h"
#include "unload.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MODULES 4096 /* torch.compile makes a module for each kernel */

struct module {
  uintptr_t start, end;
  _Atomic uint64_t seen; /* gw_unloads at the last look-up: a later unload may remove the module */
  struct runtime runtime;
};

/* Entries are added and never removed, so readers need no lock. A module that is found again after
 * an unload uses its old entry. */
static struct module *_Atomic modules[MODULES];
static _Atomic int module_count;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

static void fork_child(void) {
  pthread_mutex_init(&adding, NULL);
  gw_unload_fork_child();
}

static void install_fork_handler(void) { pthread_atfork(NULL, NULL, fork_child); }

struct search {
  uintptr_t address, start, end;
};

static int contains(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *search = data;
  uintptr_t start = UINTPTR_MAX, end = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type == PT_LOAD) {
      uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      uintptr_t to = from + info->dlpi_phdr[i].p_memsz;
      start = from < start ? from : start;
      end = to > end ? to : end;
    }
  }
  if (search->address < start || search->address >= end) {
    return 0;
  }
  search->start = start;
  search->end = end;
  return 1;
}

/* The loader's order: first the global scope behind this library, then the caller's dependencies
 * (Python opens extension modules with local scope, and torch brings its own libgomp). */
void *gw_next_symbol(const void *caller, const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) {
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1(caller, &info, (void **)&map, RTLD_DL_LINKMAP) != 0 && map != NULL &&
        map->l_name[0] != '\0') {
      void *handle = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
      if (handle != NULL) {
        found = dlsym(handle, name);
        gw_close_uncounted(handle);
      }
    }
  }
  return found;
}

static void look_up(const void *caller, struct runtime *runtime) {
#define ENTRY(name) runtime->name = gw_next_symbol(caller, #name);
  GW_CPU_ENTRIES(ENTRY)
#undef ENTRY
  *(void **)&runtime->get_level = gw_next_symbol(caller, "omp_get_level");
  *(void **)&runtime->get_max_threads = gw_next_symbol(caller, "omp_get_max_threads");
  *(void **)&runtime->get_num_threads = gw_next_symbol(caller, "omp_get_num_threads");
  runtime->spin_count = gw_find_spin_count(runtime->GOMP_parallel);
}

static struct module *find(uintptr_t address, uint64_t unloads) {
  int n = atomic_load_explicit(&module_count, memory_order_acquire);
  for (int i = 0; i < n; i++) {
    struct module *module = atomic_load_explicit(&modules[i], memory_order_relaxed);
    if (address - module->start < module->end - module->start &&
        atomic_load_explicit(&module->seen, memory_order_acquire) == unloads) {
      return module;
    }
  }
  return NULL;
}

/* Under `adding`: returns an equal entry, or adds the new one; NULL: the table is full. */
static struct module *remember(struct module *fresh) {
  int n = atomic_load(&module_count);
  for (int i = 0; i < n; i++) {
    struct module *module = atomic_load(&modules[i]);
    if (module->start == fresh->start && module->end == fresh->end &&
        memcmp(&module->runtime, &fresh->runtime, sizeof module->runtime) == 0) {
      return module;
    }
  }
  if (n == MODULES) {
    return NULL;
  }
  atomic_store(&modules[n], fresh);
  atomic_store_explicit(&module_count, n + 1, memory_order_release);
  return fresh;
}

static const struct runtime *add(const void *caller, uint64_t unloads) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static _Thread_local struct runtime spare; /* for a module that the table cannot hold */
  pthread_once(&once, install_fork_handler);
  gw_interrupt_setup();
  /* Not under `adding`: dl_iterate_phdr takes the loader's lock, whose holder may be opening a
   * region. */
  struct search search = {.address = (uintptr_t)caller};
  bool known = (unloads & GW_UNLOADING) == 0 && dl_iterate_phdr(contains, &search) != 0;
  struct module *fresh = known ? calloc(1, sizeof *fresh) : NULL;
  if (fresh == NULL) {
    look_up(caller, &spare);
    return &spare;
  }
  fresh->start = search.start;
  fresh->end = search.end;
  look_up(caller, &fresh->runtime);
  pthread_mutex_lock(&adding);
  struct module *module = remember(fresh);
  if (module != NULL) {
    atomic_store_explicit(&module->seen, unloads, memory_order_release);
  }
  pthread_mutex_unlock(&adding);
  if (module == NULL) {
    spare = fresh->runtime;
  }
  if (module != fresh) {
    free(fresh);
  }
  return module != NULL ? &module->runtime : &spare;
}

const struct runtime *gw_runtime_of(const void *caller) {
  /* Most calls of a thread come from the same module as the call before. */
  static _Thread_local const struct module *last;
  static _Thread_local uint64_t last_unloads;
  uintptr_t address = (uintptr_t)caller;
  uint64_t unloads = atomic_load_explicit(&gw_unloads, memory_order_relaxed);
  if (__builtin_expect(last != NULL && address - last->start < last->end - last->start &&
                           last_unloads == unloads,
                       1)) {
    return &last->runtime;
  }
  const struct module *module = find(address, unloads);
  if (module == NULL) {
    return add(caller, unloads);
  }
  last = module;
  last_unloads = unloads;
  return &module->runtime;
}
