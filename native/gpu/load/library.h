/* The properties of each API's library, which cuda/ and hip/ define. */
#ifndef GIVEWAY_GPU_LIBRARY_H
#define GIVEWAY_GPU_LIBRARY_H

extern const char gw_soname[];           /* "libcuda.so.1" */
extern const char gw_library_variable[]; /* names the real library where the search would not */
extern const char gw_library_folders[];  /* where the API's own packages put it, a:b */
extern const int gw_not_supported;       /* returned where the real library lacks the function */
extern const int gw_no_device;           /* returned where there is no real library */
/* Stands in for a missing function that does not return an error code; NULL: this one does. */
void *gw_missing(const char *name);

#endif
