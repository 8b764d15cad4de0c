/* Priority inheritance. A thread that waits for the device may wait for work that another thread of
 * its process has yet to submit, and that thread may be held: by other processes, or because the
 * waiting thread is more urgent. While a thread waits, every task of its process inherits its
 * priority. */
#include "clock.h"
#include "lock.h"
#include "rule.h"

static struct gw_loan *loans; /* under gw_process.lock */

/* Under gw_process.lock. A task keeps its own priority where that is higher. */
static void update_inherited(void) {
  uint32_t most = 0;
  for (const struct gw_loan *loan = loans; loan != NULL; loan = loan->next) {
    uint32_t lent = (uint32_t)(loan->priority - GW_PRIORITY_MIN + 1);
    most = lent > most ? lent : most;
  }
  atomic_store(&gw_process.lent, most);
  for (struct gw_task *task = gw_process.tasks; task != NULL; task = task->next) {
    struct gw_row *row = gw_row_of(task); /* tasks move under gw_process.lock */
    int32_t own = atomic_load(&row->priority) - GW_PRIORITY_MIN + 1;
    uint32_t lent = (int32_t)most > own ? most : 0;
    if (atomic_load(&row->lent) == lent || gw_page_lock(task->page) != GW_OK) {
      continue;
    }
    if (!gw_task_lost(task)) {
      atomic_store(&row->lent, lent);
      gw_gates_update(task->page, gw_now());
    }
    gw_page_unlock(task->page);
  }
}

void gw_lend(gw_task *task, struct gw_loan *loan) {
  loan->lent = 0;
  if (task == NULL || GW_READ(gw_process.task_count) < 2) {
    return;
  }
  pthread_mutex_lock(&gw_process.lock);
  loan->priority = atomic_load(&gw_row_of(task)->priority);
  if (loan->priority >= GW_PRIORITY_MIN && loan->priority <= GW_PRIORITY_MAX) {
    loan->lent = 1;
    loan->next = loans;
    loans = loan;
    update_inherited();
  }
  pthread_mutex_unlock(&gw_process.lock);
}

void gw_lend_end(struct gw_loan *loan) {
  if (!loan->lent) {
    return;
  }
  pthread_mutex_lock(&gw_process.lock);
  struct gw_loan **link = &loans;
  while (*link != NULL && *link != loan) {
    link = &(*link)->next;
  }
  if (*link == loan) { /* not in a child that was forked during the wait */
    *link = loan->next;
    update_inherited();
  }
  pthread_mutex_unlock(&gw_process.lock);
}

static void forget(void) { loans = NULL; }

__attribute__((constructor)) static void handle_forks(void) { pthread_atfork(NULL, NULL, forget); }
