/* Stands in for the driver in tests of forwarding: functions with unusual signatures, which the
 * shim forwards without knowing them. */
#include <stdarg.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT double cudbgMain(double a, double b, double c, double d, double e, double f, double g,
                        double h, double i, long j, long k, long l, long m, long n, long o, long p,
                        long q) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i +
         (double)(10 * j + 11 * k + 12 * l + 13 * m + 14 * n + 15 * o + 16 * p + 17 * q);
}

EXPORT int cudbgApiInit(char *out, unsigned long size, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int n = vsnprintf(out, size, format, list);
  va_end(list);
  return n;
}

struct large {
  long words[9];
};

EXPORT struct large cudbgGetAPI(struct large in, int add) {
  for (int i = 0; i < 9; i++) {
    in.words[i] += add;
  }
  return in;
}
