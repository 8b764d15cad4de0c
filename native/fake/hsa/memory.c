/* Memory pools, all in the host's memory, and copies. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "stand_in.h"

#define PAGE 4096
#define HOST_BYTES (UINT64_C(16) << 30)
#define DEVICE_BYTES (UINT64_C(64) << 30)
#define GROUP_BYTES (64 << 10)

/* A pool's handle consists of its agent's handle and its kind. */
enum kind { FINE = 1, KERNARG, COARSE, GROUP, KINDS };

static hsa_amd_memory_pool_t pool_of(uint64_t agent, enum kind kind) {
  return (hsa_amd_memory_pool_t){agent * KINDS + kind};
}
static hsa_agent_t agent_of(hsa_amd_memory_pool_t pool) {
  return (hsa_agent_t){pool.handle / KINDS};
}

hsa_status_t hsa_amd_agent_iterate_memory_pools(hsa_agent_t agent,
                                                hsa_status_t (*each)(hsa_amd_memory_pool_t, void *),
                                                void *data) {
  static const enum kind of_host[] = {FINE, KERNARG, COARSE}, of_device[] = {COARSE, FINE, GROUP};
  hsa_status_t status = OK;
  for (int i = 0; i < 3 && status == OK; i++) {
    status = each(pool_of(agent.handle, is_gpu(agent) ? of_device[i] : of_host[i]), data);
  }
  return status;
}

hsa_status_t hsa_amd_memory_pool_get_info(hsa_amd_memory_pool_t pool,
                                          hsa_amd_memory_pool_info_t attribute, void *value) {
  static const uint32_t flags[KINDS] = {
      [FINE] = HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_FINE_GRAINED,
      [KERNARG] = HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_FINE_GRAINED |
                  HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_KERNARG_INIT,
      [COARSE] = HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_COARSE_GRAINED,
  };
  enum kind kind = pool.handle % KINDS;
  bool gpu = is_gpu(agent_of(pool));
  size_t size = kind == GROUP ? GROUP_BYTES : gpu ? DEVICE_BYTES : HOST_BYTES;
  switch ((int)attribute) {
  case HSA_AMD_MEMORY_POOL_INFO_SEGMENT:
    *(uint32_t *)value = kind == GROUP ? HSA_AMD_SEGMENT_GROUP : HSA_AMD_SEGMENT_GLOBAL;
    return OK;
  case HSA_AMD_MEMORY_POOL_INFO_GLOBAL_FLAGS:
    *(uint32_t *)value = flags[kind];
    return OK;
  case HSA_AMD_MEMORY_POOL_INFO_SIZE:
  case HSA_AMD_MEMORY_POOL_INFO_ALLOC_MAX_SIZE:
    *(size_t *)value = size;
    return OK;
  case HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALLOWED:
    *(bool *)value = kind != GROUP;
    return OK;
  case HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_GRANULE:
  case HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALIGNMENT:
  case 18: /* the recommended granule; 6.2 and newer */
    *(size_t *)value = PAGE;
    return OK;
  case HSA_AMD_MEMORY_POOL_INFO_ACCESSIBLE_BY_ALL:
    *(bool *)value = !gpu;
    return OK;
  case HSA_AMD_MEMORY_POOL_INFO_LOCATION:
    *(uint32_t *)value = gpu;
    return OK;
  default:
    return INVALID;
  }
}

hsa_status_t hsa_amd_agent_memory_pool_get_info(hsa_agent_t agent, hsa_amd_memory_pool_t pool,
                                                hsa_amd_agent_memory_pool_info_t attribute,
                                                void *value) {
  bool own = agent.handle == agent_of(pool).handle;
  switch (attribute) {
  case HSA_AMD_AGENT_MEMORY_POOL_INFO_ACCESS:
    *(uint32_t *)value = own ? HSA_AMD_MEMORY_POOL_ACCESS_ALLOWED_BY_DEFAULT
                             : HSA_AMD_MEMORY_POOL_ACCESS_DISALLOWED_BY_DEFAULT;
    return OK;
  case HSA_AMD_AGENT_MEMORY_POOL_INFO_NUM_LINK_HOPS:
    *(uint32_t *)value = !own;
    return OK;
  case HSA_AMD_AGENT_MEMORY_POOL_INFO_LINK_INFO:
    if (!own) {
      *(hsa_amd_memory_pool_link_info_t *)value = (hsa_amd_memory_pool_link_info_t){
          .atomic_support_32bit = true,
          .atomic_support_64bit = true,
          .coherent_support = true,
          .link_type = HSA_AMD_LINK_INFO_TYPE_PCIE,
      };
    }
    return OK;
  default:
    return INVALID;
  }
}

/* ---- allocations ---------------------------------------------------------------------------- */

static struct allocation {
  char *start;
  size_t size;
  hsa_amd_memory_pool_t pool;
  struct allocation *next;
} *allocations;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Pages get memory at first use: most are never used, because kernels are not executed. */
hsa_status_t hsa_amd_memory_pool_allocate(hsa_amd_memory_pool_t pool, size_t size, uint32_t flags,
                                          void **memory) {
  (void)flags;
  size = (size + PAGE - 1) / PAGE * PAGE;
  struct allocation *new = malloc(sizeof *new);
  void *start = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (new == NULL || start == MAP_FAILED) {
    free(new);
    return NO_MEMORY;
  }
  pthread_mutex_lock(&lock);
  *new = (struct allocation){start, size, pool, allocations};
  allocations = new;
  pthread_mutex_unlock(&lock);
  *memory = start;
  return OK;
}

hsa_status_t hsa_amd_memory_pool_free(void *memory) {
  pthread_mutex_lock(&lock);
  struct allocation **link = &allocations;
  while (*link != NULL && (*link)->start != memory) {
    link = &(*link)->next;
  }
  struct allocation *found = *link;
  if (found != NULL) {
    *link = found->next;
    munmap(found->start, found->size);
    free(found);
  }
  pthread_mutex_unlock(&lock);
  return found != NULL ? OK : HSA_STATUS_ERROR_INVALID_ALLOCATION;
}

hsa_status_t hsa_amd_pointer_info(const void *pointer, hsa_amd_pointer_info_t *info,
                                  void *(*allocate)(size_t), uint32_t *count,
                                  hsa_agent_t **agents) {
  hsa_amd_pointer_info_t known = {.size = info->size, .type = HSA_EXT_POINTER_TYPE_UNKNOWN};
  pthread_mutex_lock(&lock);
  for (struct allocation *a = allocations; a != NULL; a = a->next) {
    if ((char *)pointer >= a->start && (char *)pointer < a->start + a->size) {
      known.type = HSA_EXT_POINTER_TYPE_HSA;
      known.agentBaseAddress = known.hostBaseAddress = a->start;
      known.sizeInBytes = a->size;
      known.agentOwner = agent_of(a->pool);
    }
  }
  pthread_mutex_unlock(&lock);
  memcpy(info, &known, known.size < sizeof known ? known.size : sizeof known);
  if (allocate != NULL && count != NULL && agents != NULL) {
    *count = hsa_gpus() + 1;
    *agents = allocate(*count * sizeof **agents);
    for (uint32_t i = 0; *agents != NULL && i < *count; i++) {
      (*agents)[i].handle = CPU + i;
    }
  }
  return OK;
}

hsa_status_t hsa_amd_agents_allow_access(uint32_t count, const hsa_agent_t *agents,
                                         const uint32_t *flags, const void *memory) {
  (void)count, (void)agents, (void)flags, (void)memory;
  return OK;
}

hsa_status_t hsa_amd_memory_lock_to_pool(void *memory, size_t size, hsa_agent_t *agents, int count,
                                         hsa_amd_memory_pool_t pool, uint32_t flags,
                                         void **agent_memory) {
  (void)size, (void)agents, (void)count, (void)pool, (void)flags;
  *agent_memory = memory;
  return OK;
}

hsa_status_t hsa_amd_memory_unlock(void *memory) {
  (void)memory;
  return OK;
}

hsa_status_t hsa_memory_register(void *memory, size_t size) {
  (void)memory, (void)size;
  return OK;
}

hsa_status_t hsa_memory_deregister(void *memory, size_t size) {
  (void)memory, (void)size;
  return OK;
}
