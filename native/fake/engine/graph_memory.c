/* Memory that graphs allocate: each device has a pool, which a launch fills and a trim empties. Its
 * graphs run one after the other, so the largest one decides. */
#include <stdlib.h>
#include <sys/mman.h>

#include "fake.h"

struct alloc_node {
  int type, handle_types, location_type, location;
  uint64_t others[11];
  uint64_t bytes;
  void *address;
};

struct any_node {
  int type, reserved[3];
  struct alloc_node alloc;
};

#define ALLOCATES 10
#define RESERVED_NOW 2

static size_t pools[DEVICES];

void *graph_allocate(struct graph *graph, size_t size) {
  graph_add(graph, (struct op){.kind = OP_WORK});
  graph->allocates += size;
  return mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

bool graph_fill_pool(const struct graph *graph, int device) {
  size_t more = graph->allocates > pools[device] ? graph->allocates - pools[device] : 0;
  bool fits = more == 0 || share_memory_take(device, more);
  pools[device] += fits ? more : 0;
  return fits;
}

FAKE int cuGraphCreate(struct graph **graph, unsigned flags) {
  CALL(cuGraphCreate)(void) flags;
  *graph = calloc(1, sizeof **graph);
  return SUCCESS;
}

FAKE int cuGraphAddMemAllocNode(void **node, struct graph *graph, void *const *after, size_t count,
                                struct alloc_node *wanted) {
  CALL(cuGraphAddMemAllocNode)(void) after, (void)count;
  wanted->address = graph_allocate(graph, wanted->bytes);
  *node = wanted;
  return SUCCESS;
}

/* The pool keeps it. */
FAKE int cuGraphAddMemFreeNode(void **node, struct graph *graph, void *const *after, size_t count,
                               void *address) {
  CALL(cuGraphAddMemFreeNode)(void) after, (void)count;
  graph_add(graph, (struct op){.kind = OP_WORK});
  *node = address;
  return SUCCESS;
}

FAKE int cuGraphAddNode_v2(void **node, struct graph *graph, void *const *after, const void *edges,
                           size_t count, struct any_node *wanted) {
  CALL(cuGraphAddNode_v2)(void) edges;
  return wanted->type == ALLOCATES
             ? cuGraphAddMemAllocNode(node, graph, after, count, &wanted->alloc)
             : INVALID_VALUE;
}

/* For tests: the driver has looked, and its caller does not know yet. */
static int was_read(void) {
  COUNT(graph_pool_was_read)
  return SUCCESS;
}

FAKE int cuDeviceGetGraphMemAttribute(int device, int attribute, uint64_t *value) {
  CALL(cuDeviceGetGraphMemAttribute)
  *value = pools[device];
  return attribute == RESERVED_NOW ? was_read() : INVALID_VALUE;
}

FAKE int cuDeviceGraphMemTrim(int device) {
  CALL(cuDeviceGraphMemTrim)
  share_memory_give(device, pools[device]);
  pools[device] = 0;
  return SUCCESS;
}
