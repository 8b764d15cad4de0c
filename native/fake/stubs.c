/* The hooked functions that a fake has nothing of its own to say about: none works, but each is
 * there, is counted, and gives the error that it is told to give. */
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
