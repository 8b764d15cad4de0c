/* A thread may end inside a launch: by pthread_exit, or because another thread cancels it. Its
 * launch must not stay in flight, or the task would hold others for as long as the process lives.
 */
#include "inside.h"

#include "clock.h"

_Thread_local struct gw_inside gw_inside;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void thread_ends(void *unused) {
  (void)unused;
  if (gw_inside.launches != 0) {
    GW_WRITE(gw_inside.task->last_ns, gw_now());
    atomic_fetch_sub(&gw_inside.task->in_flight, gw_inside.launches);
  }
  gw_inside = (struct gw_inside){NULL, 0};
}

static void make_key(void) { pthread_key_create(&key, thread_ends); }

void gw_inside_first(struct gw_task *task) {
  if (gw_inside.launches == 0) {
    pthread_once(&once, make_key);
    pthread_setspecific(key, &gw_inside); /* any value but NULL */
    gw_inside = (struct gw_inside){task, 1};
  }
}
