/* Which cores a closed gate is about: tasks that do not compete for cores do not hold each other.
 */
#include "program.h"

static struct gw_core_use *use; /* what the next step says */

static void say(gw_task *task) { gw_use_cores(task, use); }
static void raise_to_four(gw_task *task) { gw_raise_width(task, 4); }

static void operate(gw_task *task) {
  gw_operator(task);
  gw_begin(task);
}

static void narrowed_to(gw_task *task) {
  if (!gw_narrowed(task, use->cores)) {
    memset(use->cores, 0, sizeof use->cores);
  }
}

static void begin(void) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  use = shared_memory(sizeof *use);
}

static void set_use(struct program *program, uint64_t cores, uint32_t width) {
  *use = (struct gw_core_use){.cores = {cores}, .width = width};
  ask(program, say);
}

/* A program that may use these cores, and has work for so many of them. */
static struct program *start_pinned(int priority, uint64_t cores, uint32_t width) {
  struct program *program = start_program(priority);
  set_use(program, cores, width);
  ask(program, gw_begin);
  return program;
}

static uint32_t gate_of(struct program *program) {
  static struct gw_page_layout *page;
  page = page != NULL ? page : raw_page();
  return atomic_load(&page->rows[program->row].gate);
}

static void on_different_cores_nobody_waits(void) {
  begin();
  struct program *low = start_pinned(0, 2, 1), *high = start_pinned(10, 1, 1);
  CHECK(gate_of(low) == GW_OPEN && info_of_program(low).preemptions == 0);
  set_use(high, 2, 1);
  CHECK(gate_of(low) == GW_CLOSED);
  set_use(low, 1, 1);
  CHECK(gate_of(low) == GW_OPEN);
}

static void also_on_cores_with_high_numbers(void) {
  begin();
  struct program *low = start_pinned(0, 1, 1), *high = start_pinned(10, 2, 1);
  *use = (struct gw_core_use){.cores[15] = UINT64_C(1) << 63, .width = 1};
  ask(high, say);
  CHECK(gate_of(low) == GW_OPEN);
  ask(low, say);
  CHECK(gate_of(low) == GW_CLOSED);
}

static void a_task_that_says_nothing_uses_the_device(void) {
  begin();
  struct program *low = start_pinned(0, 2, 1), *other = start_program(0), *high = start_program(10);
  ask(high, gw_begin);
  CHECK(gate_of(low) == GW_CLOSED);
  ask(high, gw_end);
  ask(high, gw_idle);
  set_use(high, 1, 1);
  ask(high, gw_begin);
  CHECK(gate_of(low) == GW_OPEN);
  ask(other, gw_begin);
  CHECK(!finished(other));
}

static void what_an_urgent_task_leaves_is_for_others(void) {
  begin();
  struct program *low = start_pinned(0, 0xF, 4), *high = start_pinned(10, 0xF, 1);
  CHECK(gate_of(low) == GW_NARROW && info_of_program(low).gate_closed == 0);
  ask(low, narrowed_to);
  CHECK(use->cores[0] == 0xE);
  set_use(low, 0xF, 3);
  CHECK(gate_of(low) == GW_OPEN);
  ask(low, narrowed_to);
  CHECK(use->cores[0] == 0);
  set_use(high, 0xF, 3);
  CHECK(gate_of(low) == GW_NARROW);
  ask(low, narrowed_to);
  CHECK(use->cores[0] == 0x8);
  set_use(high, 0xF, 4);
  CHECK(gate_of(low) == GW_CLOSED);
}

static void a_launch_passes_a_narrow_gate(void) {
  begin();
  struct program *high = start_pinned(10, 3, 1), *low = start_pinned(0, 3, 2);
  CHECK(gate_of(low) == GW_NARROW && finished(low) && high != NULL);
  ask(low, gw_end);
  ask(low, gw_begin);
  CHECK(finished(low) && info_of_program(low).held == 0);
}

static void a_wider_team_closes_gates_at_once(void) {
  begin();
  struct program *low = start_pinned(0, 0xF, 2), *high = start_pinned(10, 0xF, 1);
  CHECK(gate_of(low) == GW_OPEN);
  ask(high, raise_to_four);
  CHECK(gate_of(low) == GW_CLOSED);
}

/* The kernel moves the urgent task to the core that it has for itself. */
static void an_urgent_task_takes_cores_of_its_own_first(void) {
  begin();
  struct program *low = start_pinned(0, 1, 1), *high = start_pinned(10, 3, 1);
  CHECK(gate_of(low) == GW_OPEN);
  set_use(high, 3, 2);
  CHECK(gate_of(low) == GW_CLOSED);
}

/* Not twice the same core of their own. */
static void two_urgent_tasks_take_two_cores(void) {
  begin();
  struct program *low = start_pinned(0, 6, 1), *high = start_pinned(10, 3, 1);
  struct program *higher = start_pinned(20, 3, 1);
  CHECK(gate_of(low) == GW_OPEN);
  set_use(low, 2, 1);
  CHECK(gate_of(low) == GW_CLOSED);
  CHECK(gate_of(high) == GW_OPEN && gate_of(higher) == GW_OPEN);
}

static void work_that_cannot_be_moved_waits(void) {
  begin();
  struct program *high = start_pinned(10, 3, 1), *low = start_pinned(0, 3, 2);
  CHECK(gate_of(low) == GW_NARROW && high != NULL);
  use->launches_only = 1;
  ask(low, say);
  CHECK(gate_of(low) == GW_CLOSED);
  use->launches_only = 0;
  use->whole_process = 1;
  ask(low, say);
  CHECK(gate_of(low) == GW_CLOSED);
}

static void operators_wait_unless_they_fit(void) {
  begin();
  struct program *low = start_program(0), *high = start_pinned(10, 3, 1);
  set_use(low, 3, 1);
  ask(low, operate);
  CHECK(gate_of(low) == GW_OPEN && high != NULL);
  set_use(low, 3, 2);
  CHECK(gate_of(low) == GW_CLOSED);
}

static void decide(gw_task *task) {
  gw_page *page = open_page();
  static struct gw_change seen[GW_ROWS];
  static struct gw_task_info infos[GW_ROWS];
  (void)task;
  CHECK(gw_decider_take(page) == GW_OK && gw_decider_beat(page) == GW_OK);
  CHECK(gw_changes(page, seen, GW_ROWS) >= 0);
  for (int i = gw_tasks(page, infos, GW_ROWS); i-- > 0;) {
    uint32_t gate = infos[i].priority == 0 ? GW_CLOSED : GW_OPEN;
    CHECK(gw_decide(page, &infos[i].ticket, &infos[i].row, &gate, 1) == GW_OK);
  }
}

static void a_policy_decides_about_the_whole_device(void) {
  begin();
  struct program *low = start_pinned(0, 2, 1), *high = start_pinned(10, 1, 1);
  struct program *daemon = start_program(5);
  CHECK(gate_of(low) == GW_OPEN && high != NULL);
  ask(daemon, decide);
  CHECK(gate_of(low) == GW_CLOSED);
}

static const struct test_case cases[] = {
    {"on different cores nobody waits", on_different_cores_nobody_waits},
    {"also on cores with high numbers", also_on_cores_with_high_numbers},
    {"a task that says nothing uses the device", a_task_that_says_nothing_uses_the_device},
    {"what an urgent task leaves is for others", what_an_urgent_task_leaves_is_for_others},
    {"a launch passes a narrow gate", a_launch_passes_a_narrow_gate},
    {"a wider team closes gates at once", a_wider_team_closes_gates_at_once},
    {"an urgent task takes cores of its own first", an_urgent_task_takes_cores_of_its_own_first},
    {"two urgent tasks take two cores", two_urgent_tasks_take_two_cores},
    {"work that cannot be moved waits", work_that_cannot_be_moved_waits},
    {"operators wait unless they fit", operators_wait_unless_they_fit},
    {"a policy decides about the whole device", a_policy_decides_about_the_whole_device},
};

RUN_CASES(cases, 240)
