/* Finds where this process has loaded a library, or where the loader would find one. */
#ifndef GIVEWAY_GPU_LOADED_H
#define GIVEWAY_GPU_LOADED_H

/* Calls try with the paths where this process has the library, or where a loaded file that asks for
 * it would find it, until try returns 1. This shim's own path may be among them. */
int gw_try_loaded(const char *soname, int (*try)(void *context, const char *path), void *context);
/* Whether a file is the library, by its name: libcuda.so, libcuda.so.1, libcuda.so.580.12 */
int gw_is_driver(const char *path);

#endif
