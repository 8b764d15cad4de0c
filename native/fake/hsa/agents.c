/* The system, its agents and their one instruction set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hsa/hsa_ven_amd_loader.h>

#include "stand_in.h"

#define TARGET "gfx90a"
#define ISA "amdgcn-amd-amdhsa--gfx90a:sramecc+:xnack-"
#define MOST_GPUS 8

unsigned hsa_gpus(void) {
  const char *given = getenv("GIVEWAY_FAKE_DEVICES");
  unsigned long n = given != NULL ? strtoul(given, NULL, 10) : 1;
  return n < MOST_GPUS ? (unsigned)n : MOST_GPUS;
}

hsa_status_t hsa_init(void) { return OK; }
hsa_status_t hsa_shut_down(void) { return OK; }

hsa_status_t hsa_status_string(hsa_status_t status, const char **text) {
  *text = status == OK ? "success (simulated)" : "an error (simulated)";
  return OK;
}

hsa_status_t hsa_iterate_agents(hsa_status_t (*each)(hsa_agent_t, void *), void *data) {
  hsa_status_t status = each((hsa_agent_t){CPU}, data);
  for (unsigned i = 0; i < hsa_gpus() && status == OK; i++) {
    status = each((hsa_agent_t){GPU + i}, data);
  }
  return status;
}

hsa_status_t hsa_agent_iterate_isas(hsa_agent_t agent, hsa_status_t (*each)(hsa_isa_t, void *),
                                    void *data) {
  return is_gpu(agent) ? each((hsa_isa_t){1}, data) : OK;
}

hsa_status_t hsa_isa_get_info_alt(hsa_isa_t isa, hsa_isa_info_t attribute, void *value) {
  (void)isa;
  switch (attribute) {
  case HSA_ISA_INFO_NAME_LENGTH:
    *(uint32_t *)value = sizeof ISA;
    return OK;
  case HSA_ISA_INFO_NAME:
    memcpy(value, ISA, sizeof ISA);
    return OK;
  default:
    return INVALID;
  }
}

hsa_status_t hsa_system_get_info(hsa_system_info_t attribute, void *value) {
  switch ((int)attribute) {
  case HSA_SYSTEM_INFO_VERSION_MAJOR:
    *(uint16_t *)value = 1;
    return OK;
  case HSA_SYSTEM_INFO_VERSION_MINOR:
    *(uint16_t *)value = 1;
    return OK;
  case HSA_SYSTEM_INFO_TIMESTAMP:
    *(uint64_t *)value = fake_now();
    return OK;
  case HSA_SYSTEM_INFO_TIMESTAMP_FREQUENCY:
    *(uint64_t *)value = 1000000000;
    return OK;
  case HSA_AMD_SYSTEM_INFO_SVM_SUPPORTED:
  case HSA_AMD_SYSTEM_INFO_SVM_ACCESSIBLE_BY_DEFAULT:
  case HSA_AMD_SYSTEM_INFO_DMABUF_SUPPORTED:
  case HSA_AMD_SYSTEM_INFO_VIRTUAL_MEM_API_SUPPORTED:
  case 0x206: /* whether xnack is on; 6.1 and newer */
    *(bool *)value = false;
    return OK;
  default:
    return INVALID;
  }
}

hsa_status_t hsa_system_extension_supported(uint16_t extension, uint16_t major, uint16_t minor,
                                            bool *result) {
  (void)extension, (void)major, (void)minor;
  *result = false;
  return OK;
}

hsa_status_t hsa_agent_extension_supported(uint16_t extension, hsa_agent_t agent, uint16_t major,
                                           uint16_t minor, bool *result) {
  (void)agent;
  return hsa_system_extension_supported(extension, major, minor, result);
}

static hsa_status_t host_address(const void *device, const void **host) {
  *host = device;
  return OK;
}

hsa_status_t hsa_system_get_major_extension_table(uint16_t extension, uint16_t major, size_t size,
                                                  void *table) {
  (void)major;
  hsa_ven_amd_loader_1_00_pfn_t loader = {.hsa_ven_amd_loader_query_host_address = host_address};
  if (extension != HSA_EXTENSION_AMD_LOADER) {
    return HSA_STATUS_ERROR;
  }
  memset(table, 0, size);
  memcpy(table, &loader, size < sizeof loader ? size : sizeof loader);
  return OK;
}

/* ---- properties of agents ---------------------------------------------------------------------
 */

/* About the values of an MI250, so that libraries make the same choices. */
static const struct {
  int attribute;
  uint32_t value;
} numbers[] = {
    {HSA_AGENT_INFO_FEATURE, HSA_AGENT_FEATURE_KERNEL_DISPATCH},
    {HSA_AGENT_INFO_PROFILE, HSA_PROFILE_BASE},
    {HSA_AGENT_INFO_WAVEFRONT_SIZE, 64},
    {HSA_AGENT_INFO_WORKGROUP_MAX_SIZE, 1024},
    {HSA_AGENT_INFO_GRID_MAX_SIZE, UINT32_MAX},
    {HSA_AGENT_INFO_QUEUES_MAX, 128},
    {HSA_AGENT_INFO_QUEUE_MIN_SIZE, 64},
    {HSA_AGENT_INFO_QUEUE_MAX_SIZE, 131072},
    {HSA_AGENT_INFO_QUEUE_TYPE, HSA_QUEUE_TYPE_MULTI},
    {HSA_AMD_AGENT_INFO_CHIP_ID, 0x740f},
    {HSA_AMD_AGENT_INFO_CACHELINE_SIZE, 128},
    {HSA_AMD_AGENT_INFO_COMPUTE_UNIT_COUNT, 104},
    {HSA_AMD_AGENT_INFO_COOPERATIVE_COMPUTE_UNIT_COUNT, 104},
    {HSA_AMD_AGENT_INFO_MAX_CLOCK_FREQUENCY, 1700},
    {HSA_AMD_AGENT_INFO_MEMORY_WIDTH, 4096},
    {HSA_AMD_AGENT_INFO_MEMORY_MAX_FREQUENCY, 1600},
    {HSA_AMD_AGENT_INFO_MAX_WAVES_PER_CU, 32},
    {HSA_AMD_AGENT_INFO_NUM_SIMDS_PER_CU, 4},
    {HSA_AMD_AGENT_INFO_NUM_SHADER_ENGINES, 8},
    {HSA_AMD_AGENT_INFO_NUM_SHADER_ARRAYS_PER_SE, 1},
    {HSA_AMD_AGENT_INFO_DOMAIN, 0},
    {HSA_AMD_AGENT_INFO_ASIC_REVISION, 1},
    {HSA_AMD_AGENT_INFO_NUM_SDMA_ENG, 2},
    {HSA_AMD_AGENT_INFO_NUM_SDMA_XGMI_ENG, 0},
    {HSA_AMD_AGENT_INFO_IOMMU_SUPPORT, 0},
    {0xA111 /* XCCs; 6.0 and newer */, 1},
};

static hsa_status_t text(void *value, const char *text) {
  strcpy(value, text);
  return OK;
}

static hsa_status_t about_gpu(unsigned index, int attribute, void *value) {
  char id[21];
  switch (attribute) {
  case HSA_AGENT_INFO_NAME:
    return text(value, TARGET);
  case HSA_AMD_AGENT_INFO_PRODUCT_NAME:
    return text(value, "simulated by giveway's tests");
  case HSA_AMD_AGENT_INFO_UUID:
    snprintf(id, sizeof id, "GPU-fa0000000000000%u", index);
    return text(value, id);
  case HSA_AMD_AGENT_INFO_BDFID:
    *(uint32_t *)value = (0xc0 + index) << 8;
    return OK;
  case HSA_AMD_AGENT_INFO_DRIVER_NODE_ID:
  case HSA_AGENT_INFO_NODE:
  case 0xA112: /* the driver's identifier */
    *(uint32_t *)value = index + 1;
    return OK;
  case HSA_AGENT_INFO_WORKGROUP_MAX_DIM:
    memcpy(value, (uint16_t[]){1024, 1024, 1024}, 6);
    return OK;
  case HSA_AGENT_INFO_GRID_MAX_DIM:
    *(hsa_dim3_t *)value = (hsa_dim3_t){UINT32_MAX, UINT32_MAX, UINT32_MAX};
    return OK;
  case HSA_AGENT_INFO_CACHE_SIZE:
    memcpy(value, (uint32_t[]){16 << 10, 8 << 20, 0, 0}, 16);
    return OK;
  case HSA_AGENT_INFO_EXTENSIONS: /* no images */
    memset(value, 0, 128);
    return OK;
  case HSA_AMD_AGENT_INFO_HDP_FLUSH:
    memset(value, 0, sizeof(hsa_amd_hdp_flush_t));
    return OK;
  case 0xA114: /* memory properties */
  case 0xA116: /* limits of scratch memory */
  case 0xA117:
    memset(value, 0, 8);
    return OK;
  case HSA_AMD_AGENT_INFO_COOPERATIVE_QUEUES:
    *(bool *)value = true;
    return OK;
  case HSA_AMD_AGENT_INFO_SVM_DIRECT_HOST_ACCESS:
    *(bool *)value = false;
    return OK;
  case HSA_AMD_AGENT_INFO_MEMORY_AVAIL:
    *(uint64_t *)value = UINT64_C(60) << 30;
    return OK;
  case HSA_AMD_AGENT_INFO_TIMESTAMP_FREQUENCY:
    *(uint64_t *)value = 100000000;
    return OK;
  case 0xA113: /* the nearest CPU */
    *(hsa_agent_t *)value = (hsa_agent_t){CPU};
    return OK;
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (numbers[i].attribute == attribute) {
      *(uint32_t *)value = numbers[i].value;
      return OK;
    }
  }
  return INVALID;
}

hsa_status_t hsa_agent_get_info(hsa_agent_t agent, hsa_agent_info_t attribute, void *value) {
  switch ((int)attribute) {
  case HSA_AGENT_INFO_DEVICE:
    *(hsa_device_type_t *)value = is_gpu(agent) ? HSA_DEVICE_TYPE_GPU : HSA_DEVICE_TYPE_CPU;
    return OK;
  case HSA_AGENT_INFO_VENDOR_NAME:
    return text(value, "AMD");
  case HSA_AGENT_INFO_VERSION_MAJOR:
  case HSA_AGENT_INFO_VERSION_MINOR:
    *(uint16_t *)value = 1;
    return OK;
  }
  if (is_gpu(agent)) {
    return about_gpu((unsigned)(agent.handle - GPU), (int)attribute, value);
  }
  *(uint32_t *)value = 0;
  return attribute == HSA_AGENT_INFO_NAME ? text(value, "CPU") : OK;
}
