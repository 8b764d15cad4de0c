/* The OpenMP runtimes of LLVM and Intel report every region before it starts through the tool
 * interface OMPT (OpenMP 5.0, chapter 19). The runtime finds ompt_start_tool in the preloaded
 * library. */
#include <stdint.h>
#include <stdlib.h>

#include "interrupt.h"
#include "region.h"
#include "use.h"

/* The declarations of omp-tools.h that this file needs. The specification fixes the values. */
typedef void (*ompt_callback_t)(void);
typedef void (*ompt_function_t)(void);
typedef ompt_function_t (*ompt_lookup_t)(const char *name);
typedef union {
  uint64_t value;
  void *ptr;
} ompt_data_t;
typedef struct {
  int (*initialize)(ompt_lookup_t lookup, int device, ompt_data_t *tool_data);
  void (*finalize)(ompt_data_t *tool_data);
  ompt_data_t tool_data;
} ompt_start_tool_result_t;
typedef int (*ompt_set_callback_t)(int event, ompt_callback_t callback);
typedef int (*ompt_get_parallel_info_t)(int ancestor, ompt_data_t **data, int *team_size);
enum { PARALLEL_BEGIN = 3, PARALLEL_END = 4 };

static ompt_get_parallel_info_t parallel_info;

/* Whether the caller is inside another region. The new region does not exist yet, so outside of all
 * regions the innermost one is the implicit region around the whole program. */
static int nested(void) {
  ompt_data_t *data;
  int team_size;
  return parallel_info != NULL && parallel_info(1, &data, &team_size) != 0;
}

static void on_begin(ompt_data_t *task_data, const void *frame, ompt_data_t *parallel,
                     unsigned threads, int flags, const void *code) {
  (void)task_data, (void)frame, (void)threads, (void)flags, (void)code;
  parallel->ptr = NULL;
  /* Code compiled by GCC has come through a GOMP_ hook, which counts the region already. */
  if (gw_region_depth == 0 && !gw_computing && !nested()) {
    gw_task *task = gw_current(GW_CPU_DEVICE);
    gw_interrupt_setup();
    gw_begin(task);
    if (task != NULL) {
      atomic_store(&gw_unstoppable_seen, true);
      gw_team_begin(task, GW_ANY_TEAM);
    }
    parallel->ptr = task;
  }
}

static void on_end(ompt_data_t *parallel, ompt_data_t *task_data, int flags, const void *code) {
  (void)task_data, (void)flags, (void)code;
  if (parallel->ptr != NULL) {
    gw_team_end(GW_ANY_TEAM);
  }
  gw_end(parallel->ptr);
}

static int initialize(ompt_lookup_t lookup, int device, ompt_data_t *tool_data) {
  (void)device, (void)tool_data;
  ompt_set_callback_t set = (ompt_set_callback_t)lookup("ompt_set_callback");
  parallel_info = (ompt_get_parallel_info_t)lookup("ompt_get_parallel_info");
  if (set == NULL) {
    return 0;
  }
  set(PARALLEL_BEGIN, (ompt_callback_t)on_begin);
  set(PARALLEL_END, (ompt_callback_t)on_end);
  return 1;
}

static void finalize(ompt_data_t *tool_data) { (void)tool_data; }

__attribute__((visibility("default"))) ompt_start_tool_result_t *
ompt_start_tool(unsigned omp_version, const char *runtime_version) {
  static ompt_start_tool_result_t tool = {initialize, finalize, {0}};
  (void)omp_version, (void)runtime_version;
  /* The runtime accepts one tool only, and the user's own tool comes first. */
  const char *asked = getenv("OMP_TOOL_LIBRARIES");
  return asked != NULL && *asked != '\0' ? NULL : &tool;
}
