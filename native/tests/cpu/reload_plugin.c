/* A library that opens one parallel region. */
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);

static void body(void *data) { *(int *)data = 1; }

int open_region(void) {
  int done = 0;
  GOMP_parallel(body, &done, 1, 0);
  return done;
}
