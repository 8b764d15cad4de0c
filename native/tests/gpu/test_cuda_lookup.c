/* Asks the driver for every hooked function in every way there is, and names those that come back
 * from the driver itself: calls through these would escape the gate. Run with the shim preloaded
 * over the fake driver or a real one. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "cuda_api.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

int main(void) {
  static const int versions[] = {2000,  3020,  4000,  6050,  7000, 9000,
                                 11000, 11030, 12000, 12080, 13000};
  FILE *list = fopen(HOOKS, "r");
  char line[512], name[128];
  int asked = 0, found = 0, escaped = 0;
  int result = cuInit(0);
  printf("cuInit: %d\n", result);
  while (list != NULL && fgets(line, sizeof line, list) != NULL) {
    if (line[0] == '#' || sscanf(line, "%127s", name) != 1) {
      continue;
    }
    for (size_t v = 0; v < COUNT(versions); v++) {
      for (uint64_t flags = 0; flags <= 2; flags++) {
        void *function = NULL;
        Dl_info info;
        asked++;
        if (cuGetProcAddress_v2(name, &function, versions[v], flags, NULL) != 0 ||
            function == NULL) {
          continue;
        }
        found++;
        if (dladdr(function, &info) == 0 || strstr(info.dli_fname, "giveway-cuda") == NULL) {
          escaped++;
          printf("escapes: %s version %d flags %d: %s in %s\n", name, versions[v], (int)flags,
                 info.dli_sname != NULL ? info.dli_sname : "?", info.dli_fname);
        }
      }
    }
  }
  printf("asked %d, found %d, escaped %d\n", asked, found, escaped);
  return found == 0 || escaped != 0;
}
