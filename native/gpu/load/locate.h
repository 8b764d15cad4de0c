/* Finds the real library behind a shim. */
#ifndef GIVEWAY_GPU_LOCATE_H
#define GIVEWAY_GPU_LOCATE_H

/* Opens the library that the loader would have found without the shim; NULL: none, and `why`. */
void *gw_locate(const char *soname, const char *variable, char *why, unsigned long size);

#endif
