/* Spinning workers take cores from other programs; sleeping workers have to be woken, and their
 * program waits for that. So workers spin for libgomp's own time while their task is alone on the
 * device, and for less while other tasks share it (docs/decisions/0004-openmp-spinning.md).
 *
 * libgomp reads the spin count once from its environment, into a variable that has no symbol.
 * `giveway run` sets a number that no other variable has, so a search of libgomp's data finds it.
 */
#include "spinning.h"

#include "../gate/clock.h"

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define GIVEN UINT64_C(30011)       /* the number that src/giveway/devices/cpu.py sets */
#define ALONE UINT64_C(300007)      /* libgomp's default is 300000 */
#define SHARED_NS UINT64_C(1500000) /* less than linger, for which other tasks are held anyway */
#define SHARED_LEAST UINT64_C(10007)
#define SHARED_MOST UINT64_C(250007)
#define PAUSES 200 /* in one measurement */
#define MEASUREMENTS 5

static _Atomic uint64_t shared; /* the count while other tasks share the device; 0: unknown */

/* What an idle worker of libgomp executes again and again. */
static inline void pause_once(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("" ::: "memory");
#endif
}

/* Measured, because the time of a pause differs nearly tenfold between processors. */
static uint64_t count_of(uint64_t ns) {
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < MEASUREMENTS; i++) {
    uint64_t began = gw_now();
    for (int pause = 0; pause < PAUSES; pause++) {
      pause_once();
    }
    uint64_t took = gw_now() - began;
    least = took < least ? took : least;
  }
  uint64_t count = ns * PAUSES / (least != 0 ? least : 1);
  return count < SHARED_LEAST ? SHARED_LEAST : count > SHARED_MOST ? SHARED_MOST : count;
}

struct search {
  uintptr_t function;
  _Atomic uint64_t *found;
  int matches;
};

static bool covers(const struct dl_phdr_info *info, const ElfW(Phdr) * segment, uintptr_t address) {
  uintptr_t start = info->dlpi_addr + segment->p_vaddr;
  return segment->p_type == PT_LOAD && address >= start && address < start + segment->p_memsz;
}

static void scan(struct search *search, uintptr_t start, uintptr_t end) {
  for (uintptr_t at = (start + 7) & ~(uintptr_t)7; at + sizeof(uint64_t) <= end;
       at += sizeof(uint64_t)) {
    _Atomic uint64_t *word = (_Atomic uint64_t *)at;
    uint64_t value = atomic_load_explicit(word, memory_order_relaxed);
    if (value == GIVEN || value == ALONE || (value != 0 && value == atomic_load(&shared))) {
      search->found = word;
      search->matches++;
    }
  }
}

static int look_into(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *search = data;
  bool its = false;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    its = its || covers(info, &info->dlpi_phdr[i], search->function);
  }
  for (int i = 0; its && i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0) {
      uintptr_t start = info->dlpi_addr + segment->p_vaddr;
      scan(search, start, start + segment->p_memsz);
    }
  }
  return its;
}

_Atomic uint64_t *gw_find_spin_count(const void *function) {
  struct search search = {.function = (uintptr_t)function};
  if (function != NULL) {
    dl_iterate_phdr(look_into, &search);
  }
  if (search.matches == 1 && atomic_load(&shared) == 0) {
    atomic_store(&shared, count_of(SHARED_NS));
  }
  return search.matches == 1 ? search.found : NULL;
}

void gw_adapt_spinning(_Atomic uint64_t *count, const gw_task *task) {
  if (count == NULL) {
    return;
  }
  uint64_t wanted = gw_alone(task) ? ALONE : atomic_load_explicit(&shared, memory_order_relaxed);
  if (atomic_load_explicit(count, memory_order_relaxed) != wanted) {
    atomic_store_explicit(count, wanted, memory_order_relaxed);
  }
}
