/* Members of a job whose rows others take away, as a mistaken reaper would. */
#include "jobs.h"

/* As a mistaken reaper would, and then another task takes the row. */
static void take_away(struct gw_row *row) {
  atomic_store(&row->ticket, 1u << 20);
  atomic_store(&row->state, GW_IDLE);
}

/* The program's next launch takes another row. */
static void lose_row(struct program *program) {
  static struct gw_task_info infos[GW_ROWS];
  uint64_t before = program->ticket;
  take_away(&raw_page_of(program->device)->rows[program->row]);
  clock_advance(41 * MS); /* its watcher sees that */
  CHECK(may_launch(program));
  int n = gw_tasks(open_page_of(program->device), infos, GW_ROWS);
  for (int i = 0; i < n; i++) {
    if (infos[i].pid == (uint32_t)program->process && infos[i].ticket != 1u << 20) {
      program->row = infos[i].row;
      program->ticket = infos[i].ticket;
    }
  }
  CHECK(program->ticket != before);
}

static unsigned members_of(const struct gw_page_layout *job) {
  unsigned count = 0;
  for (uint32_t i = 0; i < GW_ROWS; i++) {
    count += atomic_load(&job->rows[i].state) != GW_FREE;
  }
  return count;
}

/* The collectives that the member's row on the job's page shows. */
static uint64_t shown_by(const struct gw_page_layout *job, const struct program *member) {
  for (uint32_t i = 0; i < GW_ROWS; i++) {
    const struct gw_row *row = &job->rows[i];
    if (row->state != GW_FREE && row->ticket != 1u << 20 && row->pid == (uint32_t)member->process) {
      return row->launches;
    }
  }
  return UINT64_MAX;
}

static void a_member_that_has_lost_its_row_stays_in_its_job(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(members[1], collective);
  ask(members[0], collective);
  lose_row(members[1]);
  clock_settle();
  CHECK(members_of(raw_page_of("job.job")) == 2);
  CHECK(shown_by(raw_page_of("job.job"), members[1]) == 1);
  ask(urgent, gw_begin);
  /* The clock does not know the threads of the new member before they sleep. */
  CHECK(until(closed(members[0]) && closed(members[1]), 60000));
  CHECK(!may_launch(members[1]));
  ask(urgent, gw_end);
  ask(urgent, gw_idle);
  CHECK(until(finished(members[1]), 60000));
  CHECK(!closed(members[0]) && !closed(members[1]));
}

/* Its next vote is in another row, which shows as many collectives. */
static void a_member_that_has_lost_its_vote_votes_again(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(members[0], collective);
  ask(members[1], collective);
  struct gw_page_layout *job = raw_page_of("job.job");
  uint32_t voter = job->rows[0].pid == (uint32_t)members[0]->process ? 0 : 1;
  take_away(&job->rows[voter]);
  ask(urgent, gw_begin);
  CHECK(closed(members[0]) && closed(members[1]));
  CHECK(!may_launch(members[0]) && !may_launch(members[1]));
}

/* The job's page is full for a while. The rows are those of a process that is alive. */
static void fill(struct gw_page_layout *job, uint32_t state) {
  for (uint32_t i = 2; i < GW_ROWS; i++) {
    atomic_store(&job->rows[i].holder, state != GW_FREE ? job->rows[0].holder : 0);
    atomic_store(&job->rows[i].ticket, state != GW_FREE ? (2u << 20) + i : 0);
    atomic_store(&job->rows[i].state, state);
  }
}

static void a_member_that_finds_no_row_tries_again(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  struct gw_page_layout *job = raw_page_of("job.job");
  fill(job, GW_IDLE);
  uint32_t voter = job->rows[0].pid == (uint32_t)members[0]->process ? 0 : 1;
  take_away(&job->rows[voter]);
  ask(urgent, gw_begin);
  CHECK(closed(members[0]) && !closed(members[1]));
  clock_advance(31 * MS); /* it has tried */
  CHECK(closed(members[0]) && !closed(members[1]));
  ask(urgent, gw_end);
  ask(urgent, gw_idle);
  ask(members[0], collective);
  fill(job, GW_FREE);
  clock_advance(31 * MS);
  CHECK(shown_by(job, members[0]) == 1); /* counted while it had no row */
  ask(urgent, gw_begin);
  CHECK(closed(members[0]) && closed(members[1]));
}

/* The row of its task is lost as well. It goes on as a program of its own. */
static void a_member_without_any_row_is_none(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  struct gw_page_layout *job = raw_page_of("job.job");
  fill(job, GW_IDLE);
  take_away(&job->rows[job->rows[0].pid == (uint32_t)members[1]->process ? 0 : 1]);
  lose_row(members[1]);
  ask(members[1], collective);
  ask(urgent, gw_begin);
  CHECK(closed(members[0]) && !closed(members[1]) && may_launch(members[1]));
}

static const struct test_case cases[] = {
    {"a member that has lost its row stays in its job",
     a_member_that_has_lost_its_row_stays_in_its_job},
    {"a member that has lost its vote votes again", a_member_that_has_lost_its_vote_votes_again},
    {"a member that finds no row tries again", a_member_that_finds_no_row_tries_again},
    {"a member without any row is none", a_member_without_any_row_is_none},
};

RUN_CASES(cases, 60)
