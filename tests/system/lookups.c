/* Looks up cuLaunchKernel in every way that a program can, and prints the library of each result.
 *   lookups DRIVER_PATH DEEPBOUND_LIBRARY
 * The build makes libraries of parts of this file: NEXT of two of them, DEEPBOUND of one. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int cuLaunchKernel(void);
int cuInit(unsigned flags);
int cuFancyNew(void);

#ifdef NEXT
/* The name of this one of two libraries with equal symbols; the first looks up the next one. */
const char *which(void) { return NEXT; }
const char *next_of_which(void) {
  const char *(*next)(void) = (const char *(*)(void))dlsym(RTLD_NEXT, "which");
  return next != NULL ? next() : "none";
}

#elif defined(DEEPBOUND)
void *deep_linked(void) { return (void *)cuLaunchKernel; }
void *deep_looked_up(void) {
  return dlsym(dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD), "cuLaunchKernel");
}

#else
const char *next_of_which(void);

static void say(const char *how, void *function) {
  Dl_info info = {0};
  if (function != NULL) {
    dladdr(function, &info);
  }
  const char *name = info.dli_fname != NULL ? strrchr(info.dli_fname, '/') : NULL;
  printf("%s: %s\n", how, name != NULL ? name + 1 : "nothing");
}

int main(int argc, char **argv) {
  if (argc != 3) {
    return 2;
  }
  say("linked", (void *)cuLaunchKernel);
  say("default", dlsym(RTLD_DEFAULT, "cuLaunchKernel"));
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  say("opened", dlsym(driver, "cuLaunchKernel"));
  say("program", dlsym(dlopen(NULL, RTLD_NOW), "cuLaunchKernel"));
  say("by path", dlsym(dlopen(argv[1], RTLD_NOW), "cuLaunchKernel"));
  say("other namespace", dlsym(dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW), "cuLaunchKernel"));
  say("not hooked", dlsym(driver, "cuInit"));
  say("new", dlsym(driver, "cuFancyNew"));

  int (*ask)(const char *, void **, int, unsigned long, void *) =
      (int (*)(const char *, void **, int, unsigned long, void *))dlsym(driver,
                                                                        "cuGetProcAddress_v2");
  void *found = NULL;
  if (cuInit(0) != 0 || ask("cuLaunchKernel", &found, 12000, 0, NULL) != 0) {
    return 3;
  }
  say("asked", found);

  void *nothing = dlsym(driver, "cuNoSuchThing");
  const char *error = dlerror();
  printf("missing: %s\n", nothing == NULL && strstr(error, "cuNoSuchThing") ? "said" : "not said");
  printf("next: %s\n", next_of_which());
#ifdef NEW
  printf("newest: %d\n", cuFancyNew());
#endif
  void *deep = dlopen(argv[2], RTLD_NOW | RTLD_DEEPBIND);
  void *(*linked)(void) = (void *(*)(void))dlsym(deep, "deep_linked");
  void *(*looked_up)(void) = (void *(*)(void))dlsym(deep, "deep_looked_up");
  if (linked == NULL || looked_up == NULL) {
    return 4;
  }
  say("deepbound", linked());
  say("looked up by it", looked_up());
  return 0;
}
#endif
