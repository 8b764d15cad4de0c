/* Every way to launch one kernel on one stream that this generation of HIP has. */
#ifndef GIVEWAY_TEST_HIP_LAUNCHES_H
#define GIVEWAY_TEST_HIP_LAUNCHES_H

#include "hip_api.h"

static const dim3 one = {1, 1, 1};

static int by_address(hipFunction_t f, hipStream_t s) {
  return hipLaunchKernel(f, one, one, NULL, 0, s);
}
static int by_address_spt(hipFunction_t f, hipStream_t s) {
  return hipLaunchKernel_spt(f, one, one, NULL, 0, s);
}
static int ext(hipFunction_t f, hipStream_t s) {
  return hipExtLaunchKernel(f, one, one, NULL, 0, s, NULL, NULL, 0);
}
static int cooperative(hipFunction_t f, hipStream_t s) {
  return hipLaunchCooperativeKernel(f, one, one, NULL, 0, s);
}
static int cooperative_spt(hipFunction_t f, hipStream_t s) {
  return hipLaunchCooperativeKernel_spt(f, one, one, NULL, 0, s);
}
static int of_module(hipFunction_t f, hipStream_t s) {
  return hipModuleLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, s, NULL, NULL);
}
static int cooperative_of_module(hipFunction_t f, hipStream_t s) {
  return hipModuleLaunchCooperativeKernel(f, 1, 1, 1, 1, 1, 1, 0, s, NULL);
}
static int ext_cxx(hipFunction_t f, hipStream_t s) {
  return hipExtModuleLaunchKernelCxx(f, 1, 1, 1, 1, 1, 1, 0, s, NULL, NULL, NULL, NULL, 0);
}
static int hcc_cxx(hipFunction_t f, hipStream_t s) {
  return hipHccModuleLaunchKernelCxx(f, 1, 1, 1, 1, 1, 1, 0, s, NULL, NULL, NULL, NULL);
}
#if GENERATION == 5 && !defined WITHOUT_GGL /* gone in 5.7 */
static int ggl(hipFunction_t f, hipStream_t s) {
  return hipLaunchKernelGGLImpl((uintptr_t)f, &one, &one, 0, s, NULL);
}
#elif GENERATION >= 6
static int ext_c(hipFunction_t f, hipStream_t s) {
  return hipExtModuleLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, s, NULL, NULL, NULL, NULL, 0);
}
static int hcc_c(hipFunction_t f, hipStream_t s) {
  return hipHccModuleLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, s, NULL, NULL, NULL, NULL);
}
#endif
#if GENERATION == 7
static int ex_c(hipFunction_t f, hipStream_t s) {
  hipLaunchConfig_t config = {.grid = one, .block = one, .stream = s};
  return hipLaunchKernelExC(&config, f, NULL);
}
static int drv_ex(hipFunction_t f, hipStream_t s) {
  HIP_LAUNCH_CONFIG config = {.grid = {1, 1, 1}, .block = {1, 1, 1}, .stream = s};
  return hipDrvLaunchKernelEx(&config, f, NULL, NULL);
}
#endif

static const struct launch {
  const char *name;
  int (*run)(hipFunction_t f, hipStream_t s);
  int by_address; /* f is the address of a host function, not a handle */
} launches[] = {
    {"hipLaunchKernel", by_address, 1},
    {"hipLaunchKernel_spt", by_address_spt, 1},
    {"hipExtLaunchKernel", ext, 1},
    {"hipLaunchCooperativeKernel", cooperative, 1},
    {"hipLaunchCooperativeKernel_spt", cooperative_spt, 1},
    {"hipModuleLaunchKernel", of_module, 0},
    {"hipModuleLaunchCooperativeKernel", cooperative_of_module, 0},
    {"_Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_"
     "tS6_"
     "j",
     ext_cxx, 0},
    {"_Z24hipHccModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_"
     "tS6_",
     hcc_cxx, 0},
#if GENERATION == 5 && !defined WITHOUT_GGL /* gone in 5.7 */
    {"_ZN8hip_impl22hipLaunchKernelGGLImplEmRK4dim3S2_jP12ihipStream_tPPv", ggl, 1},
#elif GENERATION >= 6
    {"hipExtModuleLaunchKernel", ext_c, 0},
    {"hipHccModuleLaunchKernel", hcc_c, 0},
#endif
#if GENERATION == 7
    {"hipLaunchKernelExC", ex_c, 1},
    {"hipDrvLaunchKernelEx", drv_ex, 0},
#endif
};
#define LAUNCHES (sizeof launches / sizeof *launches)

#endif
