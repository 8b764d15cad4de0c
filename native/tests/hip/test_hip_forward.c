/* The HIP shim's forwarders and hooks: exactly the generation's symbols in their version nodes, and
 * arguments arrive whatever they are. Run with the shim preloaded over the echo library. */
#include <dlfcn.h>

#include "harness.h"
#include "hip_api.h"

#define P(n) ((void *)(uintptr_t)(n))

static const char *echo(void) {
  void *library = dlopen(getenv("GIVEWAY_HIP_LIBRARY"), RTLD_LAZY);
  CHECK(library != NULL);
  return dlsym(library, "echo_text");
}

#define ARRIVES(call, text)                                                                        \
  do {                                                                                             \
    for (int again = 0; again < 2; again++) { /* the first call resolves, the second does not */   \
      CHECK((call) == 7);                                                                          \
      if (strcmp(echo(), text) != 0) {                                                             \
        fprintf(stderr, "sent    %s\narrived %s\n", text, echo());                                 \
        _exit(1);                                                                                  \
      }                                                                                            \
    }                                                                                              \
  } while (0)

static void structures_by_value(void) {
  dim3 grid = {11, 12, 13}, block = {14, 15, 16};
  ARRIVES(hipLaunchKernel(P(1), grid, block, P(2), 3, P(4)), "0x1 11 12 13 14 15 16 0x2 3 0x4");
  ARRIVES(hipLaunchCooperativeKernel(P(1), grid, block, P(2), 3, P(4)),
          "0x1 11 12 13 14 15 16 0x2 3 0x4");
  ARRIVES(hipExtLaunchKernel(P(1), grid, block, P(2), 3, P(4), P(5), P(6), 7),
          "0x1 11 12 13 14 15 16 0x2 3 0x4 0x5 0x6 7");
  hipPitchedPtr memory = {P(1), 2, 3, 4};
  hipExtent extent = {5, 6, 7};
  ARRIVES(hipMemset3D(memory, 8, extent), "0x1 2 3 4 8 5 6 7");
  ARRIVES(hipMemset3DAsync(memory, 8, extent, P(9)), "0x1 2 3 4 8 5 6 7 0x9");
}

static void many_arguments(void) {
  ARRIVES(hipModuleLaunchKernel(P(1), 2, 3, 4, 5, 6, 7, 8, P(9), P(10), P(11)),
          "0x1 2 3 4 5 6 7 8 0x9 0xa 0xb");
  ARRIVES(
      hipExtModuleLaunchKernelCxx(P(1), 2, 3, 4, 5, 6, 7, 8, P(9), P(10), P(11), P(12), P(13), 14),
      "0x1 2 3 4 5 6 7 8 0x9 0xa 0xb 0xc 0xd 14");
}

/* The echo library has none of these, and needs the shim itself, where they are. */
static void missing_functions(void) {
  errno = 77;
  void *memory = NULL;
  CHECK(hipMalloc(&memory, 1) == 801 && hipGraphLaunch(NULL, NULL) == 801);
  CHECK(errno == 77);
  CHECK(strlen(hipGetErrorString(801)) > 0 && strlen(hipGetErrorName(801)) > 0);
  CHECK(__hipRegisterFatBinary(NULL) == NULL);
  hipChannelFormatDesc channel = hipCreateChannelDesc(8, 8, 8, 8, 1);
  CHECK(channel.x == 0 && channel.f == 0);
}

/* Of those that return an error code. */
static void every_missing_function(void) {
  static const char *const hooked[] = {
#define HOOKED(name) #name,
#include "hooked.h"
  };
  void *echo = dlopen(getenv("GIVEWAY_HIP_LIBRARY"), RTLD_LAZY);
  int missing = 0;
  for (size_t i = 0; i < sizeof hooked / sizeof *hooked; i++) {
    void *function = dlsym(RTLD_DEFAULT, hooked[i]);
    Dl_info info;
    if (dladdr(dlsym(echo, hooked[i]), &info) != 0 && strstr(info.dli_fname, "echo") != NULL) {
      continue;
    }
    int result = call_with_zeros(function);
    if (result != 801) {
      fprintf(stderr, "%s: %d\n", hooked[i], result);
      _exit(1);
    }
    missing++;
  }
  CHECK(missing > 80);
}

static void missing_library(void) {
  setenv("GIVEWAY_HIP_LIBRARY", "/nowhere/libamdhip64.so", 1);
  void *memory = NULL;
  CHECK(freopen("/dev/null", "w", stderr) != NULL); /* one line is said */
  CHECK(hipMalloc(&memory, 1) == 100 && hipGraphLaunch(NULL, NULL) == 100);
  CHECK(strlen(hipGetErrorString(100)) > 0);
}

static bool in_generation(const char *releases) {
  const char mark[] = {' ', (char)('0' + GENERATION), '.', '\0'};
  return strstr(releases, mark) != NULL;
}

static void every_symbol(void) {
  FILE *list = fopen(SYMBOLS, "r");
  CHECK(list != NULL);
  char soname[64], line[512], name[256], node[64];
  snprintf(soname, sizeof soname, "libamdhip64.so.%d", GENERATION);
  void *shim = dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
  CHECK(shim != NULL);
  int here = 0, elsewhere = 0;
  while (fgets(line, sizeof line, list) != NULL) {
    if (line[0] == '#' || sscanf(line, "%255s %63s", name, node) != 2) {
      continue;
    }
    Dl_info info;
    void *found = dlvsym(shim, name, node);
    if (in_generation(line)) {
      CHECK(found != NULL && dladdr(found, &info) != 0);
      CHECK(strcmp(info.dli_sname, name) == 0 && strstr(info.dli_fname, soname) != NULL);
      CHECK(dlvsym(shim, name, "hip_9.9") == NULL);
      here++;
    } else {
      CHECK(found == NULL);
      elsewhere++;
    }
  }
  CHECK(here == (GENERATION == 5 ? 468 : GENERATION == 6 ? 502 : 525) && elsewhere > 0);
}

static const struct test_case cases[] = {
    {"structures by value", structures_by_value},
    {"many arguments", many_arguments},
    {"missing functions", missing_functions},
    {"every missing function", every_missing_function},
    {"missing library", missing_library},
    {"every symbol", every_symbol},
};
RUN_CASES(cases, 240)
