/* Every way to launch. */
#include "fake_hip.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

static int run(CUfunction function, CUstream stream, bool per_thread) {
  int result = per_thread ? cuLaunchKernel_ptsz(function, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL)
                          : cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL);
  return hip_return(result);
}

#define LAUNCH(name, parameters, per_thread)                                                       \
  FAKE int name parameters {                                                                       \
    HIP(name)                                                                                      \
    return run(function, stream, per_thread);                                                      \
  }

#define BY_ADDRESS                                                                                 \
  CUfunction function, dim3 grid, dim3 block, void **arguments, size_t shared, CUstream stream
#define COOPERATIVE                                                                                \
  CUfunction function, dim3 grid, dim3 block, void **arguments, unsigned shared, CUstream stream
#define OF_MODULE                                                                                  \
  CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,            \
      unsigned bz, unsigned shared, CUstream stream, void **arguments
#define WITH_EVENTS                                                                                \
  CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,            \
      unsigned bz, size_t shared, CUstream stream, void **arguments, void **extra, CUevent start,  \
      CUevent stop

LAUNCH(hipLaunchKernel, (BY_ADDRESS), false)
LAUNCH(hipLaunchKernel_spt, (BY_ADDRESS), true)
LAUNCH(hipExtLaunchKernel, (BY_ADDRESS, CUevent start, CUevent stop, int flags), false)
LAUNCH(hipLaunchCooperativeKernel, (COOPERATIVE), false)
LAUNCH(hipLaunchCooperativeKernel_spt, (COOPERATIVE), true)
LAUNCH(hipModuleLaunchKernel, (OF_MODULE, void **extra), false)
LAUNCH(hipModuleLaunchCooperativeKernel, (OF_MODULE), false)
LAUNCH(
    _Z24hipHccModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_,
    (WITH_EVENTS), false)

/* As AMD's runtime does for some functions: calls its own exported name, and so goes through the
 * PLT into a preloaded hook. */
FAKE int
_Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j(
    WITH_EVENTS, unsigned flags) {
  HIP(_Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j)
  return hipModuleLaunchKernel(function, gx, gy, gz, bx, by, bz, (unsigned)shared, stream,
                               arguments, extra);
}

#if GENERATION == 5
FAKE int _ZN8hip_impl22hipLaunchKernelGGLImplEmRK4dim3S2_jP12ihipStream_tPPv(
    CUfunction function, const dim3 *grid, const dim3 *block, unsigned shared, CUstream stream,
    void **arguments) {
  HIP(_ZN8hip_impl22hipLaunchKernelGGLImplEmRK4dim3S2_jP12ihipStream_tPPv)
  return run(function, stream, false);
}
#else
LAUNCH(hipHccModuleLaunchKernel, (WITH_EVENTS), false)

FAKE int hipExtModuleLaunchKernel(WITH_EVENTS, unsigned flags) {
  HIP(hipExtModuleLaunchKernel)
  return hipModuleLaunchKernel(function, gx, gy, gz, bx, by, bz, (unsigned)shared, stream,
                               arguments, extra);
}
#endif

#if GENERATION == 7
struct config { /* of hipLaunchKernelExC */
  dim3 grid, block;
  size_t shared;
  CUstream stream;
};

FAKE int hipLaunchKernelExC(const struct config *config, CUfunction function, void **arguments) {
  HIP(hipLaunchKernelExC)
  return config == NULL ? hip_return(INVALID_VALUE) : run(function, config->stream, false);
}

struct driver_config { /* of hipDrvLaunchKernelEx */
  unsigned grid[3], block[3], shared;
  CUstream stream;
};

FAKE int hipDrvLaunchKernelEx(const struct driver_config *config, CUfunction function,
                              void **arguments, void **extra) {
  HIP(hipDrvLaunchKernelEx)
  return config == NULL ? hip_return(INVALID_VALUE) : run(function, config->stream, false);
}
#endif

FAKE int hipGraphLaunch(CUgraphExec exec, CUstream stream) {
  HIP(hipGraphLaunch)
  return hip_return(cuGraphLaunch(exec, stream));
}
