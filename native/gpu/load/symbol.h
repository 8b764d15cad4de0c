/* The loader's dlsym, in shims that export one of their own. */
#ifndef GIVEWAY_GPU_SYMBOL_H
#define GIVEWAY_GPU_SYMBOL_H

typedef void *gw_dlsym(void *handle, const char *name);

gw_dlsym *gw_loaders_dlsym(void);

#endif
