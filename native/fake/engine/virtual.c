/* Virtual memory management. A handle's memory lives as long as the handle or one of its mappings.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "fake.h"

#define GRANULARITY ((size_t)2 << 20)

struct properties {
  int type, handle_types, location_type, location;
};

#define ON_A_DEVICE 1

struct handle {
  size_t size;
  int device;
  bool on_device;
  unsigned references;
};

struct mapping {
  char *address;
  size_t size;
  struct handle *of;
  struct mapping *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mapping *mappings;

static void drop(struct handle *handle) {
  if (--handle->references == 0) {
    share_memory_give(handle->device, handle->on_device ? handle->size : 0);
    free(handle);
  }
}

FAKE int cuMemGetAllocationGranularity(size_t *size, const struct properties *wanted, int option) {
  CALL(cuMemGetAllocationGranularity)(void) wanted, (void)option;
  *size = GRANULARITY;
  return SUCCESS;
}

FAKE int cuMemAddressReserve(void **address, size_t size, size_t alignment, void *at,
                             uint64_t flags) {
  CALL(cuMemAddressReserve)(void) alignment, (void)at, (void)flags;
  *address = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return *address != MAP_FAILED ? SUCCESS : OUT_OF_MEMORY;
}

FAKE int cuMemAddressFree(void *address, size_t size) {
  CALL(cuMemAddressFree)
  return munmap(address, size) == 0 ? SUCCESS : INVALID_VALUE;
}

FAKE int cuMemCreate(struct handle **handle, size_t size, const struct properties *wanted,
                     uint64_t flags) {
  CALL(cuMemCreate)(void) flags;
  if (size == 0 || size % GRANULARITY != 0) {
    return INVALID_VALUE;
  }
  bool on_device = wanted->location_type == ON_A_DEVICE;
  int device = on_device ? wanted->location : 0;
  if (!share_memory_take(device, on_device ? size : 0)) {
    return OUT_OF_MEMORY;
  }
  *handle = malloc(sizeof **handle);
  **handle = (struct handle){size, device, on_device, 1};
  return SUCCESS;
}

FAKE int cuMemRelease(struct handle *handle) {
  CALL(cuMemRelease)
  pthread_mutex_lock(&lock);
  drop(handle);
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}

FAKE int cuMemMap(void *address, size_t size, size_t offset, struct handle *handle,
                  uint64_t flags) {
  CALL(cuMemMap)(void) flags;
  struct mapping *new = malloc(sizeof *new);
  if (offset != 0 || size != handle->size || mprotect(address, size, PROT_READ | PROT_WRITE) != 0) {
    free(new);
    return INVALID_VALUE;
  }
  pthread_mutex_lock(&lock);
  handle->references++;
  *new = (struct mapping){address, size, handle, mappings};
  mappings = new;
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}

FAKE int cuMemSetAccess(void *address, size_t size, const void *access, size_t count) {
  CALL(cuMemSetAccess)(void) address, (void)size, (void)access, (void)count;
  return SUCCESS;
}

FAKE int cuMemUnmap(char *address, size_t size) {
  CALL(cuMemUnmap)
  size_t unmapped = 0;
  pthread_mutex_lock(&lock);
  for (struct mapping **link = &mappings; *link != NULL;) {
    struct mapping *mapping = *link;
    if (mapping->address >= address && mapping->address + mapping->size <= address + size) {
      *link = mapping->next;
      unmapped += mapping->size;
      drop(mapping->of);
      free(mapping);
    } else {
      link = &mapping->next;
    }
  }
  pthread_mutex_unlock(&lock);
  return unmapped == size ? SUCCESS : INVALID_VALUE;
}

FAKE int cuMemRetainAllocationHandle(struct handle **handle, const char *address) {
  CALL(cuMemRetainAllocationHandle)
  int result = INVALID_VALUE;
  pthread_mutex_lock(&lock);
  for (struct mapping *mapping = mappings; mapping != NULL; mapping = mapping->next) {
    if (mapping->address <= address && address < mapping->address + mapping->size) {
      *handle = mapping->of;
      mapping->of->references++;
      result = SUCCESS;
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}
