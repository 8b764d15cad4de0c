/* A daemon: the changes that it reads, the gates that it sets, and what happens without it.
 */
#include "program.h"

#include <poll.h>

/* Steps of the daemon, in its own process; the task is not used. */
static struct gw_change seen[GW_ROWS];

static void take(gw_task *task) {
  (void)task;
  CHECK(gw_decider_take(open_page()) == GW_OK);
}

static void beat(gw_task *task) {
  (void)task;
  CHECK(gw_decider_beat(open_page()) == GW_OK);
}

static void set_all(uint32_t gate) {
  gw_page *page = open_page();
  static struct gw_task_info infos[GW_ROWS];
  CHECK(gw_decider_beat(page) == GW_OK && gw_changes(page, seen, GW_ROWS) >= 0);
  for (int i = gw_tasks(page, infos, GW_ROWS); i-- > 0;) {
    CHECK(gw_decide(page, &infos[i].ticket, &infos[i].row, &gate, 1) == GW_OK);
  }
}

static void open_all(gw_task *task) {
  (void)task;
  set_all(GW_OPEN);
}
static void close_all(gw_task *task) {
  (void)task;
  set_all(GW_CLOSED);
}
static void pause_all(gw_task *task) {
  (void)task;
  set_all(GW_PAUSED);
}

static struct program *start_daemon(void) {
  struct program *daemon = start_program(0); /* its own task never launches */
  ask(daemon, take);
  return daemon;
}

/* A daemon sends a heartbeat every 100 ms. */
static void advance_beside(struct program *daemon, uint64_t ms) {
  for (uint64_t past = 0; past < ms; past += 100) {
    clock_advance(100 * MS);
    ask(daemon, beat);
  }
}

static void launch(gw_task *task) {
  gw_begin(task);
  gw_end(task);
}

static void start(const char *max_wait_ms) {
  clock_stop();
  keep_active();
  setenv("GIVEWAY_MAX_WAIT_MS", max_wait_ms, 1);
}

static void decides(void) {
  start("0");
  struct program *program = start_program(5);
  ask(program, launch);
  CHECK(finished(program));
  struct program *daemon = start_daemon();
  ask(program, launch);
  CHECK(finished(program)); /* gates stay as they were until it decides */
  ask(daemon, close_all);
  ask(program, launch);
  advance_beside(daemon, 1000);
  CHECK(!finished(program)); /* although no task has a higher priority */
  CHECK(gw_decider(open_page()) == daemon->process);
  ask(daemon, open_all);
  CHECK(until(finished(program), 60000));
}

static void killed(void) {
  start("0");
  struct program *daemon = start_daemon(), *program = start_program(0);
  ask(daemon, close_all);
  ask(program, launch);
  CHECK(!finished(program));
  kill_program(daemon);
  clock_advance(15 * MS - 1);
  CHECK(!finished(program));
  clock_advance(1); /* a look */
  CHECK(until(finished(program), 60000) && gw_decider(open_page()) == 0);
  daemon = start_daemon();
  ask(daemon, close_all);
  ask(program, launch);
  CHECK(!finished(program));
}

/* A daemon decides until its last heartbeat is 250 ms old. */
static void silent(void) {
  start("0");
  struct program *daemon = start_daemon(), *program = start_program(0);
  ask(daemon, close_all);
  ask(program, launch);
  stop_program(daemon);
  clock_advance(249 * MS);
  CHECK(!finished(program) && gw_decider(open_page()) == daemon->process);
  clock_advance(16 * MS);
  CHECK(until(finished(program), 60000) && gw_decider(open_page()) == 0);
  continue_program(daemon);
  ask(daemon, close_all); /* and decides again */
  ask(program, launch);
  CHECK(!finished(program));
}

/* No task waits when the daemon dies, but one task outranks another: running tasks notice. */
static void killed_with_all_open(void) {
  start("0");
  struct program *daemon = start_daemon(), *high = start_program(5), *low = start_program(0);
  ask(daemon, open_all);
  ask(high, gw_begin);
  ask(low, launch);
  CHECK(finished(low));
  kill_program(daemon);
  clock_advance(41 * MS); /* a look, every 20 ms, and how late the last one was */
  ask(low, launch);
  CHECK(!finished(low));
}

/* A turn opens a gate that the daemon has closed, but not the gate of a paused task. */
static void max_wait(void) {
  start("50");
  struct program *daemon = start_daemon(), *program = start_program(0);
  ask(daemon, close_all);
  ask(program, launch);
  clock_advance(50 * MS - 1);
  CHECK(!finished(program));
  clock_advance(1);
  CHECK(until(finished(program), 60000));
}

static void paused(void) {
  start("50");
  struct program *daemon = start_daemon(), *program = start_program(0);
  ask(daemon, pause_all);
  ask(program, launch);
  advance_beside(daemon, 1000);
  CHECK(!finished(program));
  ask(daemon, open_all);
  CHECK(until(finished(program), 60000));
}

static void pause_one(gw_task *task) {
  static struct gw_task_info infos[GW_ROWS];
  uint32_t gate = GW_PAUSED;
  close_all(task);
  for (int i = gw_tasks(open_page(), infos, GW_ROWS); i-- > 0;) {
    if (infos[i].priority == -1) {
      CHECK(gw_decide(open_page(), &infos[i].ticket, &infos[i].row, &gate, 1) == GW_OK);
    }
  }
}

/* A turn is for all that have waited, but not for the paused. */
static void paused_in_a_turn(void) {
  start("50");
  struct program *daemon = start_daemon(), *stays = start_program(-1), *waits = start_program(1);
  ask(daemon, pause_one);
  ask(stays, launch);
  ask(waits, launch);
  clock_advance(50 * MS);
  CHECK(until(finished(waits), 60000) && !finished(stays));
}

static void close_one(gw_task *task) {
  static struct gw_task_info infos[GW_ROWS];
  uint32_t gate = GW_CLOSED;
  open_all(task);
  for (int i = gw_tasks(open_page(), infos, GW_ROWS); i-- > 0;) {
    if (infos[i].priority == -1) {
      CHECK(gw_decide(open_page(), &infos[i].ticket, &infos[i].row, &gate, 1) == GW_OK);
    }
  }
}

/* A task that yields to a turn notices itself that the turn is over. */
static void a_turn_of_a_stopped_task(void) {
  start("50");
  struct program *daemon = start_daemon(), *waits = start_program(-1), *yields = start_program(1);
  ask(daemon, close_one);
  ask(yields, launch);
  ask(waits, launch);
  clock_advance(50 * MS);
  CHECK(until(finished(waits), 60000));
  stop_program(waits);
  ask(yields, launch);
  CHECK(!finished(yields));
  clock_advance(25 * MS); /* a quantum, and a look */
  CHECK(until(finished(yields), 60000));
}

/* A dead task with an open gate and work: the other tasks do not wait for it. */
static void dead_holder_is_seen(void) {
  start("0");
  struct program *program = start_program(0);
  ask(program, gw_begin);
  gw_page *page = open_page();
  CHECK(gw_decider_take(page) == GW_OK);
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) == 1);
  uint64_t ticket = changes[0].ticket;
  CHECK(changes[0].flags == (GW_JOINED | GW_BECAME_ACTIVE));
  kill_program(program);
  CHECK(gw_decider_beat(page) == GW_OK);
  CHECK(gw_changes(page, changes, GW_ROWS) == 1);
  CHECK(changes[0].flags == GW_LEFT && changes[0].left == ticket && changes[0].ticket == 0);
}

static void only_one(void) {
  start("0");
  start_daemon();
  gw_page *page = open_page();
  CHECK(gw_decider_take(page) == GW_E_TAKEN);
  CHECK(gw_decider_beat(page) == GW_E_TAKEN);
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) == GW_E_TAKEN);
  CHECK(gw_decide(page, NULL, NULL, NULL, 0) == GW_E_TAKEN);
}

static void leaves(void) {
  start("0");
  struct program *program = start_program(0);
  ask(program, launch);
  gw_page *page = open_page();
  CHECK(gw_decider_take(page) == GW_OK);
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) == 1);
  uint32_t gate = GW_PAUSED;
  CHECK(gw_decider_beat(page) == GW_OK);
  CHECK(gw_decide(page, &changes[0].ticket, &changes[0].row, &gate, 1) == GW_OK);
  CHECK(info_of_program(program).gate_closed);
  ask(program, launch);
  CHECK(!finished(program));
  gw_decider_leave(page);
  CHECK(!info_of_program(program).gate_closed && until(finished(program), 60000));
  struct program *daemon = start_daemon(); /* another may take it */
  ask(daemon, close_all);
  ask(program, launch);
  CHECK(!finished(program));
}

static struct gw_change one_change(gw_page *page) {
  struct gw_change changes[GW_ROWS];
  int n = gw_changes(page, changes, GW_ROWS);
  CHECK(n == 1);
  return changes[0];
}

static void decides_about_all_at_once(void) {
  setenv("GIVEWAY_LINGER_MS", "60000", 1);
  gw_page *page = open_page();
  gw_task *tasks[] = {join(page, 0), join(page, 0), join(page, 0)};
  CHECK(gw_decider_take(page) == GW_OK);
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) == 3);
  gw_task *unseen = join(page, 0);
  CHECK(gw_decider_beat(page) == GW_OK); /* a daemon whose heartbeat is late decides no longer */
  uint32_t paused = GW_PAUSED;
  CHECK(gw_decide(page, &changes[2].ticket, &changes[2].row, &paused, 1) == GW_OK);
  CHECK(gw_decide_only(page, &changes[1].ticket, &changes[1].row, 1) == GW_OK);
  CHECK(info_of(tasks[0]).gate_closed && !info_of(tasks[1]).gate_closed);
  CHECK(!info_of(unseen).gate_closed);
  uint64_t tickets[] = {changes[0].ticket, changes[2].ticket, 4711};
  uint32_t rows[] = {changes[0].row, changes[2].row, GW_ROWS};
  CHECK(gw_decide_only(page, tickets, rows, 3) == GW_OK);
  CHECK(!info_of(tasks[0]).gate_closed && info_of(tasks[1]).gate_closed);
  CHECK(info_of(tasks[2]).gate_closed); /* until it is resumed */
  CHECK(gw_decide_only(page, NULL, NULL, 0) == GW_OK);
  CHECK(info_of(tasks[0]).gate_closed);
  gw_decider_leave(page);
  CHECK(gw_decide_only(page, NULL, NULL, 0) == GW_E_TAKEN);
}

static void sees_changes(void) {
  setenv("GIVEWAY_LINGER_MS", "60000", 1);
  setenv("GIVEWAY_ATTRIBUTES", "share=30", 1);
  gw_page *page = open_page();
  clock_stop();
  CHECK(gw_decider_take(page) == GW_OK);
  int fd;
  CHECK(gw_events_fd(page, &fd) == GW_OK);
  clock_await_sleepers(1); /* its thread */
  gw_task *task = join(page, 3);
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  CHECK(poll(&wait, 1, 60000) == 1);
  struct gw_change change = one_change(page);
  CHECK(change.flags == GW_JOINED && change.priority == 3);
  uint64_t ticket = change.ticket;
  char text[GW_ATTRIBUTES_SIZE];
  CHECK(gw_attributes(page, ticket, text, sizeof text) == GW_OK && strcmp(text, "share=30") == 0);
  struct gw_task_info info;
  CHECK(gw_task_at(page, change.row, ticket, &info) == GW_OK && info.priority == 3);
  CHECK(gw_task_at(page, change.row, ticket + 1, &info) == GW_E_NO_TASK);
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) == 0);

  gw_begin(task);
  CHECK(one_change(page).flags == GW_BECAME_ACTIVE);
  gw_end(task);
  gw_idle(task);
  gw_begin(task);
  gw_end(task);
  CHECK(one_change(page).flags == (GW_BECAME_IDLE | GW_BECAME_ACTIVE));
  gw_idle(task);
  CHECK(one_change(page).flags == GW_BECAME_IDLE);

  CHECK(gw_set_priority(page, ticket, 7) == GW_OK);
  change = one_change(page);
  CHECK(change.flags == GW_CHANGED && change.priority == 7);
  CHECK(gw_set_attributes(page, ticket, "weight=2") == GW_OK);
  CHECK(one_change(page).flags == GW_CHANGED);
  CHECK(gw_attributes(page, ticket, text, sizeof text) == GW_OK && strcmp(text, "weight=2") == 0);
  CHECK(gw_set_attributes(page, ticket + 1, "") == GW_E_NO_TASK);
  memset(text, 'x', sizeof text);
  CHECK(gw_set_attributes(page, ticket, text) == GW_E_ARGUMENT);

  gw_leave(task);
  task = join(page, 1);
  change = one_change(page);
  CHECK(change.flags == (GW_LEFT | GW_JOINED) && change.left == ticket && change.ticket > ticket);
  uint32_t gate = GW_CLOSED; /* about the one that left: passed over */
  CHECK(gw_decider_beat(page) == GW_OK);
  CHECK(gw_decide(page, &ticket, &change.row, &gate, 1) == GW_OK);
  CHECK(!info_of(task).gate_closed);
  CHECK(gw_decide(page, &change.ticket, &change.row, &gate, 1) == GW_OK);
  CHECK(info_of(task).gate_closed);
}

/* The stream gate follows the daemon as the gate does. */
static void sets_the_stream_gate(void) {
  gw_page *page = open_page();
  CHECK(gw_decider_take(page) == GW_OK);
  gw_task *task = join(page, 0);
  struct gw_stream_gate word;
  CHECK(gw_stream_gate(task, &word) == 1);
  struct gw_change change = one_change(page);
  for (uint32_t gate = GW_OPEN; gate <= GW_PAUSED; gate++) {
    CHECK(gw_decider_beat(page) == GW_OK);
    CHECK(gw_decide(page, &change.ticket, &change.row, &gate, 1) == GW_OK);
    uint32_t value = atomic_load((_Atomic uint32_t *)word.word);
    CHECK(((int32_t)(value - word.open) >= 0) == (gate == GW_OPEN));
  }
}

static void too_long_attributes_are_none(void) {
  char text[300];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  setenv("GIVEWAY_ATTRIBUTES", text, 1);
  gw_page *page = open_page();
  gw_task *task = join(page, 0);
  char found[GW_ATTRIBUTES_SIZE];
  CHECK(gw_attributes(page, info_of(task).ticket, found, sizeof found) == GW_OK && *found == '\0');
}

static const struct test_case cases[] = {
    {"a daemon decides", decides},
    {"a daemon that is killed", killed},
    {"a daemon that is stopped", silent},
    {"a daemon that is killed with all gates open", killed_with_all_open},
    {"decides about all at once", decides_about_all_at_once},
    {"max_wait opens what it closes", max_wait},
    {"max_wait does not open what it pauses", paused},
    {"a turn does not open what is paused", paused_in_a_turn},
    {"a turn of a stopped task ends", a_turn_of_a_stopped_task},
    {"a dead task has left", dead_holder_is_seen},
    {"there is one daemon", only_one},
    {"a daemon that leaves", leaves},
    {"it sees what changes", sees_changes},
    {"it sets the stream gate", sets_the_stream_gate},
    {"attributes that are too long", too_long_attributes_are_none},
};

RUN_CASES(cases, 240)
