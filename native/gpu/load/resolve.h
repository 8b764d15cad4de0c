/* The functions of the real library behind a shim. */
#ifndef GIVEWAY_GPU_RESOLVE_H
#define GIVEWAY_GPU_RESOLVE_H

#include <stdint.h>

/* Generated: where the calls of each function go, and its name; by enum gw_id. */
extern void *gw_slots[] __attribute__((visibility("hidden")));
extern const char *const gw_names[];

/* The real library, opened on first use; NULL, after one line to the user, where there is none. */
void *gw_library(void);
/* dlsym, past the shim's own where it has one. */
void *gw_symbol(void *library, const char *name);
/* Finds the function behind a slot, and puts it there. */
void *gw_resolve(uint64_t id);

#endif
