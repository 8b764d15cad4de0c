/* A job has a page of its own, on which each member has a row. A member votes there while its gate
 * is closed by the rule of its device: the row is then active. Members whose job has a vote of
 * another member have their gates closed too (GW_ROW_JOB_HELD).
 *
 * Two threads of each member's process do this: one sleeps on the row's flags and votes, the other
 * sleeps on the job's page and obeys. So a transition on a device knows nothing of other devices,
 * and a member that dies takes its vote with it.
 *
 * A member is one of a row of its task: with another row, a task gets another member. */
#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "futex.h"
#include "job_name.h"
#include "liveness.h"
#include "lock.h"
#include "rule.h"
#include "settings.h"
#include "steer.h"
#include "task.h"
#include "thread.h"
#include "wake.h"
#include "warn.h"

#define LOOK_NS (15 * GW_MS) /* how often a member checks that the votes are still meant */
#define TRIES 3
/* The ranks of a job are about as far as each other. One that is further behind is held, and the
 * collectives of the others spin: longer than that, no urgent program should wait for either. */
#define CATCH_UP_NS (5 * GW_MS)

struct gw_member {
  struct gw_task vote; /* the row on the job's page */
  struct gw_page *page;
  const struct gw_task *task; /* until the vote is left */
  struct gw_row *row;         /* the task's, on the page of its device */
  uint64_t ticket;
  _Atomic bool replaced;
};

static bool has_task(const struct gw_member *member) {
  return GW_READ(member->row->ticket) == member->ticket && !GW_READ(member->vote.left) &&
         GW_READ(member->page->broken) == 0 && !GW_READ(gw_process.exiting);
}

static bool is_member(const struct gw_member *member) {
  return has_task(member) && !gw_task_lost(&member->vote);
}

static void grow(_Atomic uint64_t *to, uint64_t least) {
  uint64_t value = atomic_load(to);
  while (value < least && !atomic_compare_exchange_weak(to, &value, least)) {
  }
}

static void show_collectives(const struct gw_member *member) {
  grow(&gw_row_of(&member->vote)->launches, atomic_load(&member->task->collectives));
}

/* A vote whose row is lost (somebody wrote to the job's page) takes another one, as soon as there
 * is one. */
static bool stays_member(struct gw_member *member) {
  while (!is_member(member)) {
    uint32_t flags = atomic_load(&member->row->flags);
    pthread_mutex_lock(&gw_process.lock);
    bool may = has_task(member) && GW_READ(member->vote.page->broken) == 0;
    bool votes = may && (!gw_task_lost(&member->vote) || gw_row_retake(&member->vote) == GW_OK);
    if (votes) {
      show_collectives(member);
    }
    pthread_mutex_unlock(&gw_process.lock);
    if (!may) {
      return false;
    }
    if (!votes) {
      gw_futex_wait(&member->row->flags, flags, LOOK_NS, true);
    }
  }
  return true;
}

static void tell_members(struct gw_page *job) {
  atomic_fetch_add(&job->map->header.events, 1);
  gw_futex_wake(&job->map->header.events, true);
}

/* ---- voting ------------------------------------------------------------------------------- */

static void set_vote(struct gw_member *member, uint32_t state, uint32_t ranked) {
  struct gw_row *own = member->vote.row;
  if (atomic_load(&own->state) != state || atomic_load(&own->outranked) != ranked) {
    atomic_store(&own->state, state);
    atomic_store(&own->outranked, ranked);
    tell_members(member->vote.page);
  }
}

static void *vote(void *argument) {
  struct gw_member *member = argument;
  while (stays_member(member)) {
    uint32_t flags = atomic_load(&member->row->flags);
    GW_WRITE(member->vote.row->priority, GW_READ(member->row->priority));
    GW_WRITE(member->vote.row->beat_ns, gw_now());
    set_vote(member, flags & GW_ROW_HELD ? GW_ACTIVE : GW_IDLE, (flags & GW_ROW_RANKED) != 0);
    gw_futex_wait(&member->row->flags, flags, flags & GW_ROW_HELD ? LOOK_NS : UINT64_MAX, true);
  }
  if (!gw_task_lost(&member->vote)) {
    set_vote(member, GW_IDLE, 0);
  }
  return NULL;
}

/* ---- obeying ------------------------------------------------------------------------------ */

struct wish {
  bool held, ranked; /* what other members ask for: that all wait, that all can be made to wait */
  uint64_t turn_ns;  /* when the job's last turn ends */
  uint64_t reached;  /* the most collectives of a member */
};

/* A vote that is not renewed does not count: the member's process is stopped, and would stop its
 * whole job. Neither does the vote of a less urgent member: this one may be what holds it. */
static bool votes(const struct gw_member *member, const struct gw_row *row, uint64_t now) {
  uint64_t beat = GW_READ(row->beat_ns);
  return row != member->vote.row && GW_READ(row->state) == GW_ACTIVE &&
         GW_READ(row->priority) >= GW_READ(member->row->priority) &&
         !(now > beat && now - beat > GW_STALLED_NS);
}

static struct wish read_wish(const struct gw_member *member, uint64_t now) {
  struct gw_page *job = member->vote.page;
  struct wish wish = {0};
  for (uint32_t i = 0; i < gw_rows_used(job); i++) {
    const struct gw_row *row = &job->map->rows[i];
    if (GW_READ(row->state) == GW_FREE || !gw_row_alive(job, i)) {
      continue;
    }
    uint64_t end = GW_READ(row->quantum_end_ns), reached = GW_READ(row->launches);
    wish.held = wish.held || votes(member, row, now);
    wish.ranked = wish.ranked || (row != member->vote.row && GW_READ(row->outranked) != 0);
    wish.turn_ns = end > wish.turn_ns ? end : wish.turn_ns;
    wish.reached = reached > wish.reached ? reached : wish.reached;
  }
  return wish;
}

/* Under the lock of the device's page. The task may have work only later in its turn. */
static void take_turn(struct gw_member *member, uint64_t end, uint64_t now) {
  GW_WRITE(member->row->quantum_end_ns, end);
  gw_gates_turn(member->page, member->row, now);
  gw_wake_watcher();
}

static bool obey(struct gw_member *member, struct wish wish, bool turn, uint64_t now) {
  if (gw_page_lock(member->page) != GW_OK) {
    return false;
  }
  if (GW_READ(member->row->ticket) == member->ticket) {
    gw_flag_set(member->row, GW_ROW_JOB_HELD, wish.held);
    gw_flag_set(member->row, GW_ROW_JOB_RANKED, wish.ranked);
    if (turn && GW_READ(member->row->quantum_end_ns) < wish.turn_ns) {
      take_turn(member, wish.turn_ns, now);
    } else {
      gw_gates_update(member->page, now);
    }
  }
  gw_page_unlock(member->page);
  return true;
}

/* The task's job is over, and the task may not be. */
static void let_go(struct gw_member *member, _Atomic uint32_t *word) {
  while (GW_READ(member->page->broken) == 0 && GW_READ(member->row->ticket) == member->ticket &&
         !GW_READ(gw_process.exiting) && !obey(member, (struct wish){0}, false, gw_now())) {
    gw_futex_wait(word, atomic_load(word), LOOK_NS, true);
  }
}

static void *follow(void *argument) {
  struct gw_member *member = argument;
  _Atomic uint32_t *word = &member->vote.page->map->header.events;
  struct wish done = {0};
  uint64_t reached = 0;
  while (stays_member(member)) {
    uint32_t events = atomic_load(word);
    uint64_t now = gw_now();
    struct wish wish = read_wish(member, now);
    bool turn = wish.turn_ns > now && wish.turn_ns != done.turn_ns, late = false;
    if (turn || wish.held != done.held || wish.ranked != done.ranked) {
      late = !obey(member, wish, turn, now);
      done = late ? done : wish;
    }
    if (wish.reached > reached) {
      reached = wish.reached;
      gw_futex_wake(&member->row->gate, true); /* its launches see whether they are behind */
    }
    bool look = late || done.held || done.ranked;
    gw_futex_wait(word, events, look ? LOOK_NS : UINT64_MAX, true);
  }
  let_go(member, word);
  return NULL;
}

void gw_job_turn(struct gw_member *member) {
  if (member != NULL && is_member(member)) {
    GW_WRITE(member->vote.row->quantum_end_ns, gw_now() + gw_settings()->quantum_ns);
    tell_members(member->vote.page);
  }
}

/* ---- collectives --------------------------------------------------------------------------- */

/* The job's row counts the collectives of its member as launches. */
bool gw_job_is_behind(const struct gw_member *member, uint64_t now) {
  if (member == NULL) {
    return false;
  }
  uint64_t closed = GW_READ(member->row->closed_ns), own = GW_READ(member->vote.row->launches);
  if (!is_member(member) || (now > closed && now - closed > CATCH_UP_NS)) {
    return false;
  }
  struct gw_page *job = member->vote.page;
  bool behind = false;
  for (uint32_t i = 0; i < gw_rows_used(job) && !behind; i++) {
    const struct gw_row *row = &job->map->rows[i];
    behind = GW_READ(row->state) != GW_FREE && GW_READ(row->launches) > own && gw_row_alive(job, i);
  }
  return behind;
}

static bool any_held(const struct gw_page *job) {
  bool held = false;
  for (uint32_t i = 0; i < gw_rows_used(job) && !held; i++) {
    held = atomic_load(&job->map->rows[i].state) == GW_ACTIVE;
  }
  return held;
}

int gw_in_job(const gw_task *task) { return task != NULL && task->member != NULL; }

/* Counts first, then reads the member and the votes. A member that votes later reads the count at
 * its gate, and one that takes this one's place shows it. */
void gw_collective(gw_task *task) {
  if (task == NULL) {
    return;
  }
  atomic_fetch_add(&task->collectives, 1);
  const struct gw_member *member = task->member;
  if (member == NULL || !is_member(member)) {
    return;
  }
  show_collectives(member);
  if (any_held(member->vote.page)) {
    tell_members(member->vote.page);
  }
}

/* ---- joining and leaving ------------------------------------------------------------------ */

/* The last member removes the page, so another try may find that it has gone. */
static int take_row(const char *name, struct gw_task *vote) {
  int r = GW_E_DELETED;
  for (int i = 0; r == GW_E_DELETED && i < TRIES; i++) {
    r = gw_page_open(name, 1, &vote->page);
    if (r == GW_OK) {
      pthread_mutex_lock(&gw_process.lock);
      r = gw_row_take(vote->page, vote);
      if (r == GW_OK && (r = gw_page_check(vote->page)) != GW_OK) {
        gw_row_leave(vote);
        atomic_store(&vote->left, false);
      }
      pthread_mutex_unlock(&gw_process.lock);
    }
  }
  return r;
}

static void warn(int error, const char *job) {
  char text[256];
  snprintf(text, sizeof text, "the program gives way without its job %s: %s", job,
           gw_error_text(error));
  gw_warn(text);
}

/* For observers and policies, which read attributes. */
static void state_job(const struct gw_task *task, const char *job) {
  if (!gw_task_lost(task)) {
    atomic_fetch_or(&gw_row_of(task)->flags, GW_ROW_MEMBER); /* its threads sleep on the flags */
  }
  if (gw_page_lock_patiently(task->page) != GW_OK) {
    return;
  }
  uint32_t index = (uint32_t)(gw_row_of(task) - task->page->map->rows);
  if (!gw_task_lost(task)) {
    char text[2 * GW_ATTRIBUTES_SIZE];
    const char *others = task->page->map->attributes[index].text;
    int n = (int)strnlen(others, GW_ATTRIBUTES_SIZE - 1);
    snprintf(text, sizeof text, "%.*s%sjob=%s", n, others, n > 0 ? " " : "", job);
    if (strlen(text) < GW_ATTRIBUTES_SIZE) {
      gw_attributes_write(task->page, index, text);
    }
    gw_gates_update(task->page, gw_now());
  }
  gw_page_unlock(task->page);
}

struct gw_member *gw_job_join(struct gw_task *task) {
  char job[GW_DEVICE_SIZE - sizeof ".job"], name[GW_DEVICE_SIZE];
  struct gw_member *member = gw_job_name(job, sizeof job) ? calloc(1, sizeof *member) : NULL;
  if (member == NULL) {
    return NULL;
  }
  snprintf(name, sizeof name, "%s.job", job);
  state_job(task, job);
  member->page = task->page;
  member->task = task;
  member->row = gw_row_of(task);
  member->ticket = GW_READ(task->ticket);
  memcpy(member->vote.name, task->name, sizeof task->name);
  int r = take_row(name, &member->vote);
  if (r != GW_OK) {
    free(member);
    warn(r, job);
    return NULL;
  }
  show_collectives(member);
  int error = gw_thread_start(vote, member);
  error = error == 0 ? gw_thread_start(follow, member) : error;
  if (error != 0) {
    pthread_mutex_lock(&gw_process.lock);
    gw_job_leave(member);
    pthread_mutex_unlock(&gw_process.lock);
    warn(gw_fail(GW_E_RESOURCES, error), job);
  }
  return member;
}

/* The first thread that notices does it. */
void gw_job_renew(struct gw_task *task) {
  struct gw_member *old = task->member;
  if (old == NULL || old->ticket == GW_READ(task->ticket) ||
      atomic_exchange(&old->replaced, true)) {
    return;
  }
  pthread_mutex_lock(&gw_process.lock);
  gw_job_leave(old);
  pthread_mutex_unlock(&gw_process.lock);
  gw_futex_wake(&old->row->flags, true); /* its thread ends */
  struct gw_member *new = gw_job_join(task);
  task->member = new;
  if (new != NULL && is_member(new)) {
    show_collectives(new);
  }
}

void gw_job_leave(struct gw_member *member) {
  if (member == NULL || !gw_row_leave(&member->vote)) {
    return;
  }
  struct gw_page *job = member->vote.page;
  tell_members(job);
  if (gw_page_lock(job) == GW_OK) {
    bool used = false;
    for (uint32_t i = 0; i < gw_rows_used(job); i++) {
      used = used || GW_READ(job->map->rows[i].state) != GW_FREE;
    }
    if (!used) {
      unlink(job->path);
    }
    gw_page_unlock(job);
  }
}
