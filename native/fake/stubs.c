/* Hooked functions that a fake does not implement. Each exists, counts its calls, and returns the
 * error that the test asks for. */
#ifdef GENERATION
#include "hip/fake_hip.h"
#define STUB(name)                                                                                 \
  HIP(name)                                                                                        \
  return hip_return(NOT_SUPPORTED)
#else
#include "engine/fake.h"
#define STUB(name)                                                                                 \
  CALL(name)                                                                                       \
  return NOT_SUPPORTED
#endif

#define HOOKED(name)                                                                               \
  __attribute__((weak)) FAKE int name(void) { STUB(name); }
#include "hooked.h"
