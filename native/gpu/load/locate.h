/* Finds the real library behind a shim. */
#ifndef GIVEWAY_GPU_LOCATE_H
#define GIVEWAY_GPU_LOCATE_H

/* Opens the library that the loader would have found without the shim; NULL: none, and `why`. */
void *gw_locate(const char *soname, const char *variable, char *why, unsigned long size);

/* Has this path tried before all others: the program itself has opened the library by it. */
void gw_locate_first(const char *path);
/* The loader's dlopen, past the shim's own where it has one. */
void *gw_open(const char *name, int flags);

#endif
