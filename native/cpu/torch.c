/* Torch with one thread opens no parallel regions, so this hook gates its operators one by one.
 *
 * Every operator that goes through torch's dispatcher first asks whether a profiler observes it:
 * libtorch calls the exported at::getStepCallbacksUnlessEmpty(RecordScope) through its own PLT. The
 * hook gates the operator, then calls the real function. No Python runs, and torch.compile is not
 * affected. In a torch release without the symbol the hook is never called.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "region.h"

enum { RECORD_FUNCTION = 0 }; /* at::RecordScope::FUNCTION */

/* The result is a std::optional in memory: the first argument is its address, which the function
 * returns. */
typedef void *(*step_callbacks_fn)(void *result, uint8_t scope);

#define STEP_CALLBACKS "_ZN2at27getStepCallbacksUnlessEmptyENS_11RecordScopeE"

void *gw_step_callbacks(void *result, uint8_t scope) __asm__(STEP_CALLBACKS)
    __attribute__((visibility("default")));

void *gw_step_callbacks(void *result, uint8_t scope) {
  static _Atomic(step_callbacks_fn) real;
  const void *caller = __builtin_return_address(0);
  step_callbacks_fn next = atomic_load_explicit(&real, memory_order_relaxed);
  if (__builtin_expect(next == NULL, 0)) {
    next = (step_callbacks_fn)gw_next_symbol(caller, STEP_CALLBACKS);
    atomic_store_explicit(&real, next, memory_order_relaxed);
  }
  if (scope == RECORD_FUNCTION && gw_region_depth == 0) {
    const struct runtime *runtime = gw_runtime_of(caller);
    if (runtime->get_max_threads != NULL && runtime->get_max_threads() == 1 &&
        (runtime->get_level == NULL || runtime->get_level() == 0)) {
      gw_operator(gw_current(GW_CPU_DEVICE));
    }
  }
  return next(result, scope);
}
