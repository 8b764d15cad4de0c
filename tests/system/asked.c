/* Another tool that watches look-ups: says each name that it is asked for. */
#include <dlfcn.h>
#include <stdio.h>

#ifdef __x86_64__
#define FIRST "GLIBC_2.2.5"
#else
#define FIRST "GLIBC_2.17"
#endif

void *dlsym(void *handle, const char *name) {
  void *(*next)(void *, const char *) =
      (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", FIRST);
  fprintf(stderr, "asked for %s\n", name);
  return next(handle, name);
}
