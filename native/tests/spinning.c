/* For how long idle workers of libgomp spin, told by the time on a core that they use after a
 * region. Run with libgiveway-cpu.so preloaded. */
#include "harness.h"

#include <omp.h>
#include <sys/resource.h>

#define REST_MS 30 /* longer than they spin by default */
#define ROUNDS 20

static double cpu_ms(void) {
  struct rusage usage;
  CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* Of all threads, after regions: the mean, because now and then a worker goes to sleep at once. */
static double spent_ms(void) {
  double sum = 0;
  for (int round = 0; round < ROUNDS; round++) {
#pragma omp parallel num_threads(2)
    CHECK(omp_get_num_threads() == 2);
    double before = cpu_ms();
    sleep_ms(REST_MS);
    sum += cpu_ms() - before;
  }
  return sum / ROUNDS;
}

static void is_short_in_company(void) {
  double alone = spent_ms();
  gw_task *other = join(open_page(), 0);
  double company = spent_ms();
  gw_leave(other);
  double alone_again = spent_ms();
  fprintf(stderr, "alone %.2f ms, in company %.2f ms, alone again %.2f ms\n", alone, company,
          alone_again);
  CHECK(company > 0 && company < alone / 2 && company < alone_again / 2);
}

static void is_left_alone_where_the_user_decides(void) {
  double alone = spent_ms();
  gw_task *other = join(open_page(), 0);
  double company = spent_ms();
  gw_leave(other);
  fprintf(stderr, "alone %.2f ms, in company %.2f ms\n", alone, company);
  CHECK(company > alone / 4);
}

int main(void) {
  /* libgomp has read it by now: CMake runs this program once with each. */
  const char *count = getenv("GOMP_SPINCOUNT");
  bool ours = count != NULL && strcmp(count, "30011") == 0;
  const struct test_case test = {ours ? "is short in company"
                                      : "is left alone where the user decides",
                                 ours ? is_short_in_company : is_left_alone_where_the_user_decides};
  return run_case(&test, 20) != 0;
}
