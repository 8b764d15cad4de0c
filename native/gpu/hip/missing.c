/* Stand-ins for functions that a real library lacks and that do not return an error code. A program
 * that gets an error code in place of an address would crash. */
#include <stddef.h>
#include <string.h>

#include "load/library.h"

static const char *text(void) { return "not in this HIP runtime"; }
static void *nothing(void) { return NULL; }

/* hipCreateChannelDesc returns 20 bytes, so its caller says where to. */
struct channel {
  int bits[5];
};
static struct channel channel(void) { return (struct channel){{0}}; }

static const struct {
  const char *name;
  void *function;
} others[] = {
    {"hipGetErrorString", (void *)text},
    {"hipGetErrorName", (void *)text},
    {"hipApiName", (void *)text},
    {"hipKernelNameRef", (void *)text},
    {"hipKernelNameRefByPtr", (void *)text},
    {"hipGetCmdName", (void *)text},
    {"hiprtcGetErrorString", (void *)text},
    {"amd_dbgapi_get_build_name", (void *)text},
    {"amd_dbgapi_get_git_hash", (void *)text},
    {"hipCreateChannelDesc", (void *)channel},
    {"__hipRegisterFatBinary", (void *)nothing},
};

void *gw_missing(const char *name) {
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (strcmp(others[i].name, name) == 0) {
      return others[i].function;
    }
  }
  return NULL;
}
