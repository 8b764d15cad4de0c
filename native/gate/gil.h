/* Python's global lock. */
#ifndef GIVEWAY_GIL_H
#define GIVEWAY_GIL_H

#include <stdbool.h>

/* Whether the calling thread may sleep without stopping the other tasks of its process. */
bool gw_may_wait(void);

#endif
