/* The real library behind a shim. */
#ifndef GIVEWAY_SHIM_RESOLVE_H
#define GIVEWAY_SHIM_RESOLVE_H

#include <stdint.h>

/* Generated: where each function's calls go, and its name; by enum gw_id. */
extern void *gw_slots[] __attribute__((visibility("hidden")));
extern const char *const gw_names[];

/* What each shim says of its API. */
extern const char gw_soname[];           /* "libcuda.so.1" */
extern const char gw_library_variable[]; /* names the real library where the search would not */
extern const char gw_library_folders[];  /* where the API's own packages put it, a:b */
extern const int gw_not_supported;       /* what a function returns that the real library lacks */
extern const int gw_no_device;           /* ... and one whose library is missing altogether */
/* Stands in for a missing function that does not return an error code; NULL: this one does. */
void *gw_missing(const char *name);

/* The real library, opened on first use; NULL, after one line to the user, where there is none. */
void *gw_library(void);
/* Opens the library that the loader would have found without us. */
void *gw_locate(const char *soname, const char *variable, char *why, unsigned long size);
/* Calls try with the paths where this process has the library, or where a loaded file that asks for
 * it would find it, until it returns 1. Our own may be among them. */
int gw_try_loaded(const char *soname, int (*try)(void *context, const char *path), void *context);
/* Whether a file is the library, by its name: libcuda.so, libcuda.so.1, libcuda.so.580.12 */
int gw_is_driver(const char *path);
/* dlsym, past our own where we have one. */
void *gw_symbol(void *library, const char *name);
/* The function behind a slot, from now on there. */
void *gw_resolve(uint64_t id);

#endif
