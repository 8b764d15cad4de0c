/* The report of GIVEWAY_TRACE names kernels, whichever function has launched them. */
#include "hip_api.h"
#include "hip_launches.h"
#include "trace_harness.h"

static void program(void) {
  hipModule_t module;
  hipFunction_t f;
  CHECK(hipModuleLoadData(&module, "") == 0);
  for (size_t i = 0; i < LAUNCHES; i++) {
    CHECK(hipModuleGetFunction(&f, module, launches[i].name) == 0);
    CHECK(launches[i].run(f, NULL) == 0 && launches[i].run(f, (hipStream_t)2) == 0);
  }
  CHECK(of_module(NULL, NULL) == 400 && hipGetLastError() == 400);
}

/* The fake runtime says which of its two functions was asked. */
static void each_launch_has_its_kernels_name(void) {
  const char *text = trace_of("0");
  for (size_t i = 0; i < LAUNCHES; i++) {
    char expected[512];
    snprintf(expected, sizeof expected, "{\"launches\": 2, \"name\": \"%s%s\"}",
             launches[i].by_address ? "address of " : "", launches[i].name);
    says(text, expected);
  }
  CHECK(strstr(text, "\"?\"") == NULL);
}

static const struct test_case cases[] = {
    {"each launch has its kernel's name", each_launch_has_its_kernels_name},
};

int main(int count, char **arguments) {
  if (count > 1 && strcmp(arguments[1], "program") == 0) {
    program();
    return 0;
  }
  return run_case(&cases[0], 240) != 0;
}
