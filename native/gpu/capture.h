/* Streams that are being captured: work submitted to them runs later, as part of a graph. */
#ifndef GIVEWAY_GPU_CAPTURE_H
#define GIVEWAY_GPU_CAPTURE_H

#include <stdatomic.h>

extern _Atomic unsigned gw_captures; /* captures that have begun, in the whole process */

#endif
