/* Parking: the driver moves the device memory of the whole process to host memory and back. The
 * process does so itself, on request; see docs/decisions/0036-parking.md. */
#ifndef GIVEWAY_PARK_H
#define GIVEWAY_PARK_H

#include "state.h"

/* Under gw_process.lock: takes requests on that page from now on, if the process can be parked. */
void gw_park_serve(struct gw_page *page);

#endif
