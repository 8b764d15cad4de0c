/* Jobs: the members of a job give way as one, on whatever devices they run. */
#include "../../gate/futex.h"
#include "jobs.h"

static void begin_with_turns(void) {
  begin();
  setenv("GIVEWAY_MAX_WAIT_MS", "100", 1);
  setenv("GIVEWAY_QUANTUM_MS", "10", 1);
}

static void one_held_member_holds_all(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  CHECK(may_launch(members[0]) && may_launch(members[1]));
  ask(urgent, gw_begin);
  CHECK(closed(members[0]) && closed(members[1]));
  CHECK(!may_launch(members[1]));
  ask(urgent, gw_end);
  ask(urgent, gw_idle);
  CHECK(until(finished(members[1]), 60000));
  CHECK(!closed(members[0]) && !closed(members[1]) && may_launch(members[0]));
}

/* Not before both urgent programs have no work. Without care each member would keep the other's
 * gate closed for ever. */
static void held_on_both_devices_it_goes_on_after_the_second(void) {
  begin();
  struct program *members[2];
  struct program *urgent[2] = {start_on("first", NULL, 10), start_on("second", NULL, 10)};
  start_job(members, 0);
  for (int first = 0; first < 2; first++) {
    ask(urgent[0], gw_begin);
    ask(urgent[1], gw_begin);
    for (int i = 0; i < 2; i++) {
      CHECK(closed(members[0]) && closed(members[1]));
      ask(urgent[first ^ i], gw_end);
      ask(urgent[first ^ i], gw_idle);
    }
    clock_settle();
    CHECK(!closed(members[0]) && !closed(members[1]));
  }
}

/* A member is held because others are, and has nothing to do itself: it makes no task wait. */
static void a_member_that_waits_for_its_job_holds_no_task(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 5);
  struct program *low = start_on("second", NULL, 0);
  CHECK(may_launch(members[1]) && closed(low));
  ask(urgent, gw_begin);
  CHECK(closed(members[1]) && !closed(low) && may_launch(low));
  ask(urgent, gw_end);
  ask(urgent, gw_idle);
  clock_settle();
  CHECK(!closed(members[1]) && closed(low));
}

static void a_killed_member_releases_the_others(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(urgent, gw_begin);
  CHECK(!may_launch(members[1]));
  kill_program(members[0]);
  clock_advance(20 * MS);
  CHECK(until(finished(members[1]), 60000) && !closed(members[1]));
}

static void a_stopped_member_releases_the_others(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(urgent, gw_begin);
  CHECK(!may_launch(members[1]));
  stop_program(members[0]);
  clock_advance(300 * MS);
  CHECK(until(finished(members[1]), 60000) && !closed(members[1]));
  continue_program(members[0]);
  clock_advance(20 * MS);
  CHECK(closed(members[1]));
}

static void a_member_that_leaves_releases_the_others(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(urgent, gw_begin);
  CHECK(!may_launch(members[1]));
  ask(members[0], gw_leave);
  CHECK(until(finished(members[1]), 60000) && !closed(members[1]));
}

/* Turns of members at different times would be of no use to a job. */
static void all_members_have_their_turn_at_the_same_time(void) {
  begin_with_turns();
  struct program *members[2];
  struct program *urgent[2] = {start_on("first", NULL, 10), start_on("second", NULL, 10)};
  start_job(members, 0);
  ask(urgent[0], gw_begin);
  clock_advance(50 * MS);
  ask(urgent[1], gw_begin);
  ask(members[0], launch);
  clock_advance(25 * MS);
  ask(members[1], launch);
  clock_advance(75 * MS); /* the first has waited for max_wait */
  CHECK(until(finished(members[0]) && finished(members[1]), 60000));
  clock_settle();
  CHECK(!closed(members[0]) && !closed(members[1]));
  clock_advance(10 * MS);
  clock_settle();
  CHECK(closed(members[0]) && closed(members[1]));
}

/* Only the device of the other member is busy, and that member launches nothing. */
static void a_member_asks_for_the_turn_of_another(void) {
  begin_with_turns();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(urgent, gw_begin);
  ask(members[1], launch);
  clock_advance(99 * MS);
  CHECK(!finished(members[1]));
  clock_advance(1 * MS);
  CHECK(until(finished(members[1]), 60000));
  CHECK(may_launch(members[0])); /* it has the turn as well */
  clock_advance(10 * MS);
  clock_settle();
  CHECK(closed(members[0]) && closed(members[1]));
}

/* Where another member may be held, this one prepares for it, as a GPU's hook does by gw_outranked.
 */
static int asked_outranked(gw_task *task) { return gw_outranked(task); }
static void check_outranked(gw_task *task) { CHECK(asked_outranked(task)); }
static void check_not_outranked(gw_task *task) { CHECK(!asked_outranked(task)); }

static void a_member_knows_that_another_one_may_be_held(void) {
  begin();
  struct program *members[2];
  start_job(members, 0);
  ask(members[1], check_not_outranked);
  struct program *urgent = start_on("first", NULL, 10);
  clock_settle();
  ask(members[0], check_outranked);
  ask(members[1], check_outranked);
  kill_program(urgent);
  CHECK(info_of_program(members[0]).ticket != 0);
  static struct gw_task_info infos[GW_ROWS];
  CHECK(gw_tasks(open_page_of("first"), infos, GW_ROWS) == 1); /* reaps the killed task */
  clock_settle();
  ask(members[0], check_not_outranked);
  ask(members[1], check_not_outranked);
}

/* Else the collective of the second member would spin on its device until the gate opens. */
static void a_member_that_is_behind_comes_to_the_same_collective(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(members[0], collective);
  ask(members[1], collective);
  ask(members[1], collective);
  ask(urgent, gw_begin);
  CHECK(closed(members[0]) && closed(members[1]));
  ask(members[0], gw_admit);
  CHECK(finished(members[0]));
  ask(members[0], collective);
  CHECK(finished(members[0]));
  ask(members[0], gw_admit);
  ask(members[1], gw_admit);
  CHECK(!finished(members[0]) && !finished(members[1]));
}

/* The second member's gate closes later than that of the first. */
static void a_member_at_its_gate_goes_on_to_a_collective_that_begins(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(members[1], gw_admit);
  stop_program(members[1]); /* cannot obey yet */
  ask(urgent, gw_begin);
  ask(members[0], gw_admit);
  CHECK(!finished(members[0]));
  struct gw_page_layout *job = raw_page_of("job.job");
  uint32_t row = 1;
  atomic_fetch_add(&job->rows[row].launches, 1);
  atomic_fetch_add(&job->header.events, 1);
  gw_futex_wake(&job->header.events, true);
  clock_settle();
  CHECK(until(finished(members[0]), 60000));
  ask(members[0], collective);
  CHECK(finished(members[0]));
  ask(members[0], collective);
  CHECK(!finished(members[0]));
}

static void who_is_far_behind_is_held(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(members[0], gw_admit);
  ask(members[1], collective);
  ask(urgent, gw_begin);
  clock_advance(5 * MS);
  ask(members[0], gw_admit);
  CHECK(finished(members[0]));
  clock_advance(1);
  ask(members[0], gw_admit);
  CHECK(!finished(members[0]));
}

static void other_programs_and_other_jobs_stay_out_of_it(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  struct program *none = start_on("second", NULL, 0), *other = start_on("second", "other", 0);
  ask(urgent, gw_begin);
  clock_settle();
  CHECK(closed(members[1]) && may_launch(none) && may_launch(other));
}

/* Else the two would open and close each other's gates for ever. */
static void an_urgent_member_is_not_held_by_the_one_that_it_holds(void) {
  begin();
  struct program *low = start_on("first", "job", 0), *urgent = start_on("first", "job", 10);
  clock_settle();
  for (int i = 0; i < 3; i++) {
    ask(urgent, gw_begin);
    clock_advance(100 * MS);
    CHECK(finished(urgent) && !closed(urgent) && closed(low));
    ask(urgent, gw_end);
    ask(urgent, gw_idle);
    clock_settle();
    CHECK(!closed(low));
  }
  CHECK(info_of_program(urgent).preemptions == 0);
}

/* torchrun calls a run "none" where its user does not name it, but two have different ports. */
static void the_ranks_of_a_torchrun_are_a_job(void) {
  begin();
  setenv("TORCHELASTIC_RUN_ID", "none", 1);
  setenv("MASTER_ADDR", "localhost", 1);
  setenv("MASTER_PORT", "29500", 1);
  struct program *urgent = start_on("first", "", 10); /* an empty name: no job */
  struct program *first = start_on("first", NULL, 0), *second = start_on("second", NULL, 0);
  setenv("MASTER_PORT", "29501", 1);
  struct program *other = start_on("second", NULL, 0);
  ask(urgent, gw_begin);
  clock_settle();
  CHECK(closed(first) && closed(second) && !closed(other));
}

static unsigned files(void) {
  unsigned count = 0;
  DIR *directory = opendir(getenv("GIVEWAY_DIR"));
  CHECK(directory != NULL);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    count += strstr(entry->d_name, ".job") != NULL;
  }
  closedir(directory);
  return count;
}

static void the_last_member_removes_the_page_of_the_job(void) {
  begin();
  struct program *members[2];
  start_job(members, 0);
  CHECK(files() == 1);
  ask(members[0], gw_leave);
  CHECK(files() == 1);
  ask(members[1], gw_leave);
  CHECK(files() == 0);
}

/* The program goes on, and gives way alone. */
static void a_job_whose_page_is_cut_ends(void) {
  begin();
  struct program *members[2], *urgent = start_on("first", NULL, 10);
  start_job(members, 0);
  ask(urgent, gw_begin);
  CHECK(closed(members[1]));
  char path[4096];
  CHECK(gw_page_path("job.job", path, sizeof path) == GW_OK && truncate(path, 0) == 0);
  clock_advance(20 * MS);
  CHECK(!closed(members[1]) && may_launch(members[1]) && closed(members[0]));
}

static const struct test_case cases[] = {
    {"one held member holds all", one_held_member_holds_all},
    {"held on both devices", held_on_both_devices_it_goes_on_after_the_second},
    {"a waiting member holds no task", a_member_that_waits_for_its_job_holds_no_task},
    {"a killed member releases the others", a_killed_member_releases_the_others},
    {"a stopped member releases the others", a_stopped_member_releases_the_others},
    {"a member that leaves releases the others", a_member_that_leaves_releases_the_others},
    {"all members have their turn at once", all_members_have_their_turn_at_the_same_time},
    {"a member asks for the turn of another", a_member_asks_for_the_turn_of_another},
    {"a member knows that another may be held", a_member_knows_that_another_one_may_be_held},
    {"a member that is behind comes to the same",
     a_member_that_is_behind_comes_to_the_same_collective},
    {"a member goes on to a collective that begins",
     a_member_at_its_gate_goes_on_to_a_collective_that_begins},
    {"who is far behind is held", who_is_far_behind_is_held},
    {"other programs and jobs stay out of it", other_programs_and_other_jobs_stay_out_of_it},
    {"an urgent member is not held by a low one",
     an_urgent_member_is_not_held_by_the_one_that_it_holds},
    {"the ranks of a torchrun are a job", the_ranks_of_a_torchrun_are_a_job},
    {"the last member removes the page", the_last_member_removes_the_page_of_the_job},
    {"a job whose page is cut ends", a_job_whose_page_is_cut_ends},
};

RUN_CASES(cases, 60)
