#ifndef GIVEWAY_EXEC_TARGET_H
#define GIVEWAY_EXEC_TARGET_H

/* What the loader of a program does with preloaded libraries of this machine's glibc. */
enum gw_target {
  GW_TARGET_LOADS,      /* it loads them, or the program has no loader */
  GW_TARGET_FAILS,      /* it ends the program, or complains: musl, 32-bit, another machine */
  GW_TARGET_ASAN_FIRST, /* it loads them, but AddressSanitizer's runtime has to come first */
};

/* Whether a file name is that of AddressSanitizer's runtime. */
int gw_is_asan(const char *name);

/* Reads a program, or the interpreter of a script. Async-signal-safe, keeps errno. */
enum gw_target gw_target_of(int folder, const char *path);
enum gw_target gw_target_of_open(int fd);

#endif
