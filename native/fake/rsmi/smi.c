/* A librocm_smi64 for tests: the benchmark programs of AMD's libraries require one that works. It
 * knows the place of the simulated GPU on the bus, and nothing else. */
#include <stdint.h>

#define NOT_SUPPORTED 2

int rsmi_init(uint64_t flags) { return (int)(flags & 0); }

int rsmi_num_monitor_devices(uint32_t *count) {
  *count = 1;
  return 0;
}

int rsmi_dev_pci_id_get(uint32_t device, uint64_t *id) {
  *id = (uint64_t)(0xc0 + device) << 8;
  return 0;
}

int rsmi_status_string(int status, const char **text) {
  *text = status == 0 ? "success (simulated)" : "not supported (simulated)";
  return 0;
}

int rsmi_dev_gpu_metrics_info_get(void) { return NOT_SUPPORTED; }
int rsmi_dev_gpu_clk_freq_get(void) { return NOT_SUPPORTED; }
int rsmi_dev_metrics_xcd_counter_get(void) { return NOT_SUPPORTED; }
