#include "memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define STRIPES 64 /* locks: threads that allocate at once rarely meet */

static struct gw_memory *buckets[BUCKETS];
static pthread_mutex_t locks[STRIPES] = {[0 ... STRIPES - 1] = PTHREAD_MUTEX_INITIALIZER};
static bool sums; /* whether the totals are wanted */
static _Atomic uint64_t allocated, freed, peak;

/* The parent's memory is not the child's, nor does the driver work there. */
static void fork_child(void) {
  for (int i = 0; i < STRIPES; i++) {
    pthread_mutex_init(&locks[i], NULL); /* another thread of the parent may have taken it */
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

static unsigned lock_bucket(enum gw_memory_kind kind, gw_word key) {
  uint64_t mixed = ((uint64_t)key ^ (uint64_t)kind << 60) * UINT64_C(0x9E3779B97F4A7C15);
  unsigned bucket = (unsigned)(mixed >> 52) % BUCKETS;
  pthread_mutex_lock(&locks[bucket % STRIPES]);
  return bucket;
}

static void unlock_bucket(unsigned bucket) { pthread_mutex_unlock(&locks[bucket % STRIPES]); }

static struct gw_memory **find(unsigned bucket, enum gw_memory_kind kind, gw_word key) {
  struct gw_memory **link = &buckets[bucket];
  while (*link != NULL && ((*link)->key != key || (*link)->kind != kind)) {
    link = &(*link)->next;
  }
  return link;
}

static void insert(unsigned bucket, struct gw_memory *memory) {
  memory->next = buckets[bucket];
  buckets[bucket] = memory;
}

static struct gw_memory *take(struct gw_memory **link) {
  struct gw_memory *found = *link;
  *link = found->next;
  return found;
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

void gw_memory_add(struct gw_memory memory) {
  struct gw_memory *new = malloc(sizeof *new);
  add_totals(memory.kind != GW_MEMORY_MAPPING ? memory.bytes : 0);
  if (new != NULL) {
    *new = memory;
    new->references = 1;
    unsigned bucket = lock_bucket(memory.kind, memory.key);
    insert(bucket, new);
    unlock_bucket(bucket);
  }
}

struct gw_memory *gw_memory_remove(enum gw_memory_kind kind, gw_word key) {
  unsigned bucket = lock_bucket(kind, key);
  struct gw_memory **link = find(bucket, kind, key);
  struct gw_memory *last = *link != NULL && --(*link)->references == 0 ? take(link) : NULL;
  unlock_bucket(bucket);
  return last;
}

void gw_memory_put_back(enum gw_memory_kind kind, gw_word key, struct gw_memory *removed) {
  unsigned bucket = lock_bucket(kind, key);
  if (removed != NULL) {
    insert(bucket, removed);
  }
  struct gw_memory *found = *find(bucket, kind, key);
  if (found != NULL) {
    found->references++;
  }
  unlock_bucket(bucket);
}

void gw_memory_freed(struct gw_memory *removed) {
  if (removed == NULL) {
    return;
  }
  if (removed->kind != GW_MEMORY_MAPPING) {
    subtract_totals(removed->bytes);
    if (removed->device != NULL) {
      gw_memory_give(removed->device->task, removed->bytes);
    }
  }
  free(removed);
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

static bool retain(gw_word handle) {
  unsigned bucket = lock_bucket(GW_MEMORY_HANDLE, handle);
  struct gw_memory *found = *find(bucket, GW_MEMORY_HANDLE, handle);
  if (found != NULL) {
    found->references++;
  }
  unlock_bucket(bucket);
  return found != NULL;
}

void gw_memory_retain(gw_word handle) { retain(handle); }

void gw_memory_map(gw_word address, uint64_t bytes, gw_word handle) {
  if (retain(handle)) {
    gw_memory_add((struct gw_memory){
        .kind = GW_MEMORY_MAPPING, .key = address, .of = handle, .bytes = bytes});
  }
}

/* One call may end several mappings that lie side by side. */
void gw_memory_unmap(gw_word address, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes;) {
    struct gw_memory *mapping = gw_memory_remove(GW_MEMORY_MAPPING, address + done);
    if (mapping == NULL) {
      return;
    }
    gw_memory_freed(gw_memory_remove(GW_MEMORY_HANDLE, mapping->of));
    done += mapping->bytes;
    gw_memory_freed(mapping);
  }
}

void gw_memory_forget_context(gw_word context) {
  for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
    struct gw_memory *gone = NULL;
    pthread_mutex_lock(&locks[bucket % STRIPES]);
    for (struct gw_memory **link = &buckets[bucket]; *link != NULL;) {
      bool in_context = (*link)->kind == GW_MEMORY_ADDRESS || (*link)->kind == GW_MEMORY_ARRAY;
      if (in_context && (*link)->of == context) {
        struct gw_memory *found = take(link);
        found->next = gone;
        gone = found;
      } else {
        link = &(*link)->next;
      }
    }
    unlock_bucket(bucket);
    while (gone != NULL) {
      struct gw_memory *next = gone->next;
      gw_memory_freed(gone);
      gone = next;
    }
  }
}

void gw_memory_sum(void) { sums = true; }

struct gw_memory_totals gw_memory_totals(void) {
  return (struct gw_memory_totals){atomic_load(&allocated), atomic_load(&freed),
                                   atomic_load(&peak)};
}
