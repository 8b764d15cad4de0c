/* The shim's forwarders: every symbol is there, and arguments arrive whatever they are. Run with
 * the shim preloaded over the echo library. */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>

#include "harness.h"

extern double cudbgMain(double, double, double, double, double, double, double, double, double,
                        long, long, long, long, long, long, long, long);
extern int cudbgApiInit(char *out, unsigned long size, const char *format, ...);
struct large {
  long words[9];
};
extern struct large cudbgGetAPI(struct large in, int add);
extern int cuMulticastCreate(void *handle, void *properties);
extern int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                          unsigned, void *, void **, void **);

static void stack_and_vector_arguments(void) {
  for (int again = 0; again < 2; again++) { /* the first call resolves, the second does not */
    double sum = cudbgMain(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
    double expected = 0;
    for (int i = 1; i <= 17; i++) {
      expected += i * i;
    }
    CHECK(sum == expected);
  }
}

static void variadic_arguments(void) {
  for (int again = 0; again < 2; again++) {
    char text[64];
    int n =
        cudbgApiInit(text, sizeof text, "%d %.1f %s %ld %.2f %d %d", 1, 2.5, "x", 4L, 5.25, 6, 7);
    CHECK(strcmp(text, "1 2.5 x 4 5.25 6 7") == 0 && n == (int)strlen(text));
  }
}

static void structures_in_memory(void) {
  for (int again = 0; again < 2; again++) {
    struct large in = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};
    struct large out = cudbgGetAPI(in, 100);
    for (int i = 0; i < 9; i++) {
      CHECK(out.words[i] == in.words[i] + 100);
    }
  }
}

static void *call_all(void *unused) {
  (void)unused;
  stack_and_vector_arguments();
  variadic_arguments();
  return NULL;
}

static void first_calls_at_once(void) {
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) {
    pthread_create(&threads[i], NULL, call_all, NULL);
  }
  for (int i = 0; i < 8; i++) {
    pthread_join(threads[i], NULL);
  }
}

static void missing_functions(void) {
  errno = 77;
  CHECK(cuMulticastCreate(NULL, NULL) == 801);
  CHECK(cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL) == 801); /* a hooked one */
  CHECK(errno == 77);
}

/* The echo library has few functions, as an older driver lacks functions of a newer one. */
static void every_missing_function(void) {
  FILE *list = fopen(SYMBOLS, "r");
  void *echo = dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY);
  CHECK(list != NULL && echo != NULL);
  char line[256], name[128], node[64];
  int size = 0, missing = 0;
  while (fgets(line, sizeof line, list) != NULL) {
    if (line[0] == '#' || sscanf(line, "%127s %63s %d", name, node, &size) != 2 ||
        dlsym(echo, name) != NULL) {
      continue; /* data, or there after all */
    }
    int result = call_with_zeros(dlsym(RTLD_DEFAULT, name));
    if (result != 801) {
      fprintf(stderr, "%s: %d\n", name, result);
      _exit(1);
    }
    missing++;
  }
  CHECK(missing > 600);
}

static void every_symbol(void) {
  FILE *list = fopen(SYMBOLS, "r");
  CHECK(list != NULL);
  void *shim = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  CHECK(shim != NULL);
  char line[256], name[128], node[64];
  int count = 0;
  while (fgets(line, sizeof line, list) != NULL) {
    if (line[0] != '#' && sscanf(line, "%127s %63s", name, node) == 2) {
      void *found = dlsym(shim, name);
      Dl_info info;
      CHECK(found != NULL && dladdr(found, &info) != 0);
      CHECK(strcmp(info.dli_sname, name) == 0 && strstr(info.dli_fname, "giveway-cuda") != NULL);
      count++;
    }
  }
  CHECK(count > 700);
}

static const struct test_case cases[] = {
    {"stack and vector arguments", stack_and_vector_arguments},
    {"variadic arguments", variadic_arguments},
    {"structures in memory", structures_in_memory},
    {"first calls at once", first_calls_at_once},
    {"missing functions", missing_functions},
    {"every missing function", every_missing_function},
    {"every symbol", every_symbol},
};
RUN_CASES(cases, 240)
