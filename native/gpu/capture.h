/* The streams that are being captured: work submitted to them runs later, as part of a graph.
 *
 * A capture begins on its origin stream. Another stream joins when it waits for an event of the
 * capture. A stream is in the set while it may be captured: from right before the call that begins
 * or joins a capture until the capture ends or the stream is destroyed. */
#ifndef GIVEWAY_GPU_CAPTURE_H
#define GIVEWAY_GPU_CAPTURE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "driver.h"

extern _Atomic unsigned gw_captures; /* how many streams the set has */

enum gw_capture_role { GW_CAPTURE_ORIGIN, GW_CAPTURE_JOINED };

/* Adds the stream right before a call by which it may be captured. False: it is in the set. */
bool gw_capture_add(gw_word stream);
/* The call has returned, and the stream is captured. An origin keeps its role. */
void gw_capture_confirm(gw_word stream, enum gw_capture_role role);
/* The stream is not captured, or is destroyed. Without an origin the set is empty. */
void gw_capture_remove(gw_word stream);
/* The context is destroyed. */
void gw_capture_forget(gw_word context);

/* Whether the stream is in the set. The legacy stream counts as captured while a stream with which
 * it synchronises is captured: a query of it would end that capture. */
bool gw_capture_has(gw_word stream);
/* Whether work submitted to the stream now becomes part of a graph. Asks the driver about streams
 * of the set only. */
bool gw_capturing(gw_word stream);

#endif
