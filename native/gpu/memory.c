#include "memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define STRIPES 64

struct entry {
  struct gw_memory memory;
  struct entry *next;
};

static struct entry *buckets[BUCKETS];
/* Each on a cache line of its own: threads that allocate at once rarely meet. */
static struct stripe {
  _Alignas(64) pthread_mutex_t lock;
  struct entry *spares; /* that were taken out: malloc and free would cost more than the rest */
} stripes[STRIPES] = {[0 ... STRIPES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};
static bool sums; /* whether the totals are wanted */
static _Atomic uint64_t allocated, freed, peak;

/* The parent's memory is not the child's, nor does the driver work there. */
static void fork_child(void) {
  for (int i = 0; i < STRIPES; i++) {
    pthread_mutex_init(&stripes[i].lock, NULL); /* another thread of the parent may have it */
    stripes[i].spares = NULL;
  }
  memset(buckets, 0, sizeof buckets);
  atomic_store(&allocated, 0);
  atomic_store(&freed, 0);
  atomic_store(&peak, 0);
}

__attribute__((constructor)) static void handle_forks(void) {
  pthread_atfork(NULL, NULL, fork_child);
}

/* ---- under the lock of a bucket ------------------------------------------------------------- */

static struct stripe *stripe_of(unsigned bucket) { return &stripes[bucket % STRIPES]; }

static unsigned lock_bucket(enum gw_memory_kind kind, gw_word key) {
  uint64_t mixed = ((uint64_t)key ^ (uint64_t)kind << 60) * UINT64_C(0x9E3779B97F4A7C15);
  unsigned bucket = (unsigned)(mixed >> 52) % BUCKETS;
  pthread_mutex_lock(&stripe_of(bucket)->lock);
  return bucket;
}

static void unlock_bucket(unsigned bucket) { pthread_mutex_unlock(&stripe_of(bucket)->lock); }

static struct entry **find(unsigned bucket, enum gw_memory_kind kind, gw_word key) {
  struct entry **link = &buckets[bucket];
  while (*link != NULL && ((*link)->memory.key != key || (*link)->memory.kind != kind)) {
    link = &(*link)->next;
  }
  return link;
}

static void push(struct entry **list, struct entry *entry) {
  entry->next = *list;
  *list = entry;
}

static struct entry *pop(struct entry **list) {
  struct entry *first = *list;
  *list = first->next;
  return first;
}

static void take_out(unsigned bucket, struct entry **link) {
  push(&stripe_of(bucket)->spares, pop(link));
}

/* ---- memory --------------------------------------------------------------------------------- */

static void add_totals(uint64_t bytes) {
  if (!sums) {
    return;
  }
  uint64_t now = atomic_fetch_add(&allocated, bytes) + bytes - atomic_load(&freed);
  uint64_t most = atomic_load(&peak);
  while (now > most && !atomic_compare_exchange_weak(&peak, &most, now)) {
  }
}

static void subtract_totals(uint64_t bytes) {
  if (sums) {
    atomic_fetch_add(&freed, bytes);
  }
}

static void insert(const struct gw_memory *memory) {
  unsigned bucket = lock_bucket(memory->kind, memory->key);
  struct entry **spares = &stripe_of(bucket)->spares;
  struct entry *new = *spares != NULL ? pop(spares) : malloc(sizeof *new);
  if (new != NULL) {
    new->memory = *memory;
    new->memory.references = 1;
    push(&buckets[bucket], new);
  }
  unlock_bucket(bucket);
}

static bool retain(enum gw_memory_kind kind, gw_word key) {
  unsigned bucket = lock_bucket(kind, key);
  struct entry *found = *find(bucket, kind, key);
  if (found != NULL) {
    found->memory.references++;
  }
  unlock_bucket(bucket);
  return found != NULL;
}

void gw_memory_add(const struct gw_memory *memory) {
  add_totals(memory->kind != GW_MEMORY_MAPPING ? memory->bytes : 0);
  insert(memory);
}

struct gw_memory gw_memory_remove(enum gw_memory_kind kind, gw_word key) {
  struct gw_memory last = {.kind = GW_MEMORY_NONE};
  unsigned bucket = lock_bucket(kind, key);
  struct entry **link = find(bucket, kind, key);
  if (*link != NULL && --(*link)->memory.references == 0) {
    last = (*link)->memory;
    take_out(bucket, link);
  }
  unlock_bucket(bucket);
  return last;
}

void gw_memory_put_back(enum gw_memory_kind kind, gw_word key, const struct gw_memory *removed) {
  if (removed->kind != GW_MEMORY_NONE) {
    insert(removed);
  } else {
    retain(kind, key);
  }
}

void gw_memory_freed(const struct gw_memory *removed) {
  if (removed->kind == GW_MEMORY_NONE || removed->kind == GW_MEMORY_MAPPING) {
    return;
  }
  subtract_totals(removed->bytes);
  if (removed->device != NULL) {
    gw_memory_give(removed->device->task, removed->bytes);
  }
}

void gw_memory_change(struct gw_device *device, uint64_t before, uint64_t now) {
  if (now > before) {
    add_totals(now - before);
    gw_memory_count(device->task, now - before);
  } else if (now < before) {
    subtract_totals(before - now);
    gw_memory_give(device->task, before - now);
  }
}

/* ---- handles and their mappings ------------------------------------------------------------- */

void gw_memory_retain(gw_word handle) { retain(GW_MEMORY_HANDLE, handle); }

void gw_memory_map(gw_word address, uint64_t bytes, gw_word handle) {
  if (retain(GW_MEMORY_HANDLE, handle)) {
    gw_memory_add(&(struct gw_memory){
        .key = address, .kind = GW_MEMORY_MAPPING, .of = handle, .bytes = bytes});
  }
}

/* One call may end several mappings that lie side by side. */
void gw_memory_unmap(gw_word address, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes;) {
    struct gw_memory mapping = gw_memory_remove(GW_MEMORY_MAPPING, address + done);
    if (mapping.kind == GW_MEMORY_NONE) {
      return;
    }
    struct gw_memory handle = gw_memory_remove(GW_MEMORY_HANDLE, mapping.of);
    gw_memory_freed(&handle);
    done += mapping.bytes;
  }
}

static bool is_in(const struct gw_memory *memory, gw_word context) {
  return (memory->kind == GW_MEMORY_ADDRESS || memory->kind == GW_MEMORY_ARRAY) &&
         memory->of == context;
}

void gw_memory_forget_context(gw_word context) {
  for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
    pthread_mutex_lock(&stripe_of(bucket)->lock);
    for (struct entry **link = &buckets[bucket]; *link != NULL;) {
      if (is_in(&(*link)->memory, context)) {
        gw_memory_freed(&(*link)->memory);
        take_out(bucket, link);
      } else {
        link = &(*link)->next;
      }
    }
    unlock_bucket(bucket);
  }
}

void gw_memory_sum(void) { sums = true; }

struct gw_memory_totals gw_memory_totals(void) {
  return (struct gw_memory_totals){atomic_load(&allocated), atomic_load(&freed),
                                   atomic_load(&peak)};
}
