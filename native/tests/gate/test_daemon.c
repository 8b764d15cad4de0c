/* A process that decides about the gates: what it sees, what it sets, and what happens without it.
 */
#include "harness.h"

#include <poll.h>

static struct {
  _Atomic uint64_t ready, gate, launches, stop;
} *shared;

static void share(void) { shared = shared_memory(sizeof *shared); }

/* Sets all gates to shared->gate, over and over. */
static void decide_for_all(void) {
  gw_page *page = open_page();
  CHECK(gw_decider_take(page) == GW_OK);
  static struct gw_change changes[GW_ROWS];
  static struct gw_task_info infos[GW_ROWS];
  for (;; usleep(10000)) {
    int r = gw_decider_beat(page);
    r = r == GW_OK ? gw_changes(page, changes, GW_ROWS) : r;
    int n = r = r >= 0 ? gw_tasks(page, infos, GW_ROWS) : r;
    for (int i = 0; i < n && r >= 0; i++) {
      uint32_t gate = (uint32_t)atomic_load(&shared->gate);
      r = gw_decide(page, &infos[i].ticket, &infos[i].row, &gate, 1);
    }
    CHECK(r >= 0 || r == GW_E_LOCK); /* who has the lock may have been kept from its core */
    atomic_fetch_add(&shared->ready, r >= 0);
  }
}

static pid_t start_daemon(uint64_t gate) {
  atomic_store(&shared->gate, gate);
  atomic_store(&shared->ready, 0);
  pid_t pid = fork();
  if (pid == 0) {
    decide_for_all();
  }
  CHECK(eventually(&shared->ready, 0, 5000));
  return pid;
}

static void after_two_turns(void) {
  uint64_t turns = atomic_load(&shared->ready);
  CHECK(eventually(&shared->ready, turns + 2, 5000));
}

/* A program that launches until it is told to stop. */
static pid_t start_program(int priority, const char *max_wait_ms) {
  pid_t pid = fork();
  if (pid == 0) {
    setenv("GIVEWAY_MAX_WAIT_MS", max_wait_ms, 1);
    gw_task *task = join(open_page(), priority);
    while (!atomic_load(&shared->stop)) {
      gw_begin(task);
      atomic_fetch_add(&shared->launches, 1);
      usleep(100);
      gw_end(task);
    }
    gw_leave(task);
    _exit(0);
  }
  return pid;
}

static bool goes_on(void) {
  return eventually(&shared->launches, atomic_load(&shared->launches) + 20, 5000);
}

static bool stands(void) {
  sleep_ms(100); /* for what was on its way */
  return stands_still(atomic_load(&shared->launches), 100);
}

static void end(pid_t pid) {
  int status;
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
}

static void decides(void) {
  share();
  start_program(5, "0");
  CHECK(goes_on());
  start_daemon(GW_CLOSED);
  CHECK(stands()); /* although nobody has a higher priority */
  gw_page *page = open_page();
  CHECK(until(gw_decider(page) > 0, 10000)); /* 0 while it is late */
  atomic_store(&shared->gate, GW_OPEN);
  CHECK(goes_on());
}

static void killed(void) {
  share();
  pid_t daemon = start_daemon(GW_CLOSED);
  start_program(0, "0");
  CHECK(stands());
  end(daemon);
  CHECK(goes_on());
  CHECK(gw_decider(open_page()) == 0);
  start_daemon(GW_CLOSED);
  CHECK(stands());
}

static void silent(void) {
  share();
  pid_t daemon = start_daemon(GW_CLOSED);
  start_program(0, "0");
  CHECK(stands());
  CHECK(kill(daemon, SIGSTOP) == 0);
  CHECK(goes_on());
  CHECK(kill(daemon, SIGCONT) == 0);
  after_two_turns();
  CHECK(stands());
}

/* Nobody waits when it dies, but one task outranks another: the running ones notice. */
static void killed_with_all_open(void) {
  share();
  pid_t daemon = start_daemon(GW_OPEN);
  gw_page *page = open_page();
  gw_task *high = join(page, 5);
  gw_begin(high);
  start_program(0, "0");
  CHECK(goes_on());
  end(daemon);
  CHECK(stands());
  gw_end(high);
}

static void max_wait(void) {
  share();
  start_daemon(GW_CLOSED);
  start_program(0, "50");
  CHECK(goes_on());
}

static void paused(void) {
  share();
  start_daemon(GW_PAUSED);
  start_program(0, "50");
  CHECK(stands());
  atomic_store(&shared->gate, GW_OPEN);
  CHECK(goes_on());
}

/* Its gate is open and it has work, and it is dead: the others do not wait for it. */
static void dead_holder_is_seen(void) {
  share();
  pid_t program = fork();
  if (program == 0) {
    gw_begin(join(open_page(), 0));
    atomic_store(&shared->ready, 1);
    pause();
  }
  CHECK(eventually(&shared->ready, 0, 5000));
  gw_page *page = open_page();
  CHECK(gw_decider_take(page) == GW_OK);
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) == 1);
  uint64_t ticket = changes[0].ticket;
  CHECK(changes[0].flags == (GW_JOINED | GW_BECAME_ACTIVE));
  end(program);
  CHECK(gw_decider_beat(page) == GW_OK);
  CHECK(gw_changes(page, changes, GW_ROWS) == 1);
  CHECK(changes[0].flags == GW_LEFT && changes[0].left == ticket && changes[0].ticket == 0);
}

static void only_one(void) {
  share();
  start_daemon(GW_OPEN);
  gw_page *page = open_page();
  CHECK(gw_decider_take(page) == GW_E_TAKEN);
  CHECK(gw_decider_beat(page) == GW_E_TAKEN);
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) == GW_E_TAKEN);
  CHECK(gw_decide(page, NULL, NULL, NULL, 0) == GW_E_TAKEN);
}

static void leaves(void) {
  share();
  start_program(0, "0");
  gw_page *page = open_page();
  CHECK(goes_on());
  CHECK(gw_decider_take(page) == GW_OK);
  struct gw_change changes[GW_ROWS];
  CHECK(gw_changes(page, changes, GW_ROWS) == 1);
  uint32_t gate = GW_PAUSED;
  CHECK(gw_decider_beat(page) == GW_OK);
  CHECK(gw_decide(page, &changes[0].ticket, &changes[0].row, &gate, 1) == GW_OK);
  struct gw_task_info info;
  CHECK(gw_task_at(page, changes[0].row, changes[0].ticket, &info) == GW_OK && info.gate_closed);
  gw_decider_leave(page);
  CHECK(gw_task_at(page, changes[0].row, changes[0].ticket, &info) == GW_OK && !info.gate_closed);
  CHECK(goes_on());
  pid_t daemon = start_daemon(GW_CLOSED); /* another may take it */
  CHECK(stands());
  end(daemon);
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
  CHECK(gw_decider_beat(page) == GW_OK); /* whoever is late is none */
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
  CHECK(gw_decider_take(page) == GW_OK);
  int fd;
  CHECK(gw_events_fd(page, &fd) == GW_OK);
  sleep_ms(50); /* until its thread sleeps */
  gw_task *task = join(page, 3);
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  CHECK(poll(&wait, 1, 20000) == 1);
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

/* What a device waits for is the same word as without a daemon. */
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
    {"a dead task has left", dead_holder_is_seen},
    {"there is one daemon", only_one},
    {"a daemon that leaves", leaves},
    {"it sees what changes", sees_changes},
    {"it sets the stream gate", sets_the_stream_gate},
    {"attributes that are too long", too_long_attributes_are_none},
};

RUN_CASES(cases, 60)
