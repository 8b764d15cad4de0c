/* Prints what is preloaded. */
#include <stdio.h>
#include <stdlib.h>

#ifdef WITH_ASAN
void needed(void);
#else
static void needed(void) {}
#endif

int main(void) {
  const char *list = getenv("LD_PRELOAD");
  needed();
  fputs(list ? list : "", stdout);
}
