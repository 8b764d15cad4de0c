#include "capture.h"

#include <pthread.h>
#include <stddef.h>

_Atomic unsigned gw_captures;

static void forget(void) { atomic_store(&gw_captures, 0); }

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
