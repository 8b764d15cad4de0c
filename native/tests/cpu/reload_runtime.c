/* A minimal OpenMP runtime, which counts its regions. */
int reload_regions;

void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags) {
  (void)threads, (void)flags;
  reload_regions++;
  body(data);
}
