/* Who parks for whom: a more urgent task needs memory, and the parked one comes back. */
#include "parking.h"

/* The program stays parked, and comes back once there is room. */
static void no_room_to_come_back(void) {
  start_with_work();
  struct gw_row *rows = raw_page_of(DEVICE)->rows;
  rows[me().row].memory = UINT64_C(1) << 30;
  park();
  struct gw_task_info other; /* has taken more than the device has */
  pid_t pid = other_process(&other);
  rows[other.row].memory = UINT64_C(100) << 30;
  CHECK(gw_unpark(page, me().ticket) == GW_OK);
  CHECK(until(me().park_error == GW_PARK_NO_ROOM, 60000) && me().parked == 3);
  CHECK(fake_calls("cuCheckpointProcessRestore") == 0);
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
  CHECK(until(gw_tasks(page, (struct gw_task_info[8]){{0}}, 8) == 1, 60000));
  unpark();
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
}

/* ---- for another task --------------------------------------------------------------------------
 */

static void back_when_the_other_task_has_ended(void) {
  setenv("GIVEWAY_PARK_LEAST_MS", "10", 1);
  start_with_work();
  struct gw_task_info other;
  pid_t pid = other_process(&other);
  CHECK(gw_page_open(DEVICE, 0, &page) == GW_OK);
  CHECK(gw_park(page, me().ticket, other.ticket) == GW_OK);
  CHECK(reach(3) == 3);
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
  CHECK(until(me().parked == 0, 60000));
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
}

/* ---- room for a more urgent task ---------------------------------------------------------------
 */

/* A program with one kernel behind it, in a process of its own: whether it allows others to park
 * it, and its memory as its row has it. */
static pid_t program(int priority, bool parkable, uint64_t memory, struct gw_task_info *info) {
  int ends[2];
  char text[16];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    snprintf(text, sizeof text, "%d", priority);
    setenv("GIVEWAY_PRIORITY", text, 1);
    setenv("GIVEWAY_PARKABLE", parkable ? "1" : "0", 1);
    start_cuda();
    CHECK(launch(kernel("ns_1000"), NULL) == 0 && cuCtxSynchronize() == 0);
    gw_page *of;
    struct gw_task_info all[8];
    CHECK(gw_page_open(DEVICE, 0, &of) == GW_OK);
    for (int i = 0, n = gw_tasks(of, all, 8); i < n; i++) {
      if (all[i].mine) {
        *info = all[i];
      }
    }
    raw_page_of(DEVICE)->rows[info->row].memory = memory;
    CHECK(write(ends[1], info, sizeof *info) == sizeof *info);
    pause();
  }
  CHECK(read(ends[0], info, sizeof *info) == sizeof *info);
  return pid;
}

static void the_least_urgent_task_is_parked_first(void) {
  enum { GIB = 1 << 30 };
  struct gw_task_info low, small, large, unwilling, equal;
  program(-5, false, GIB, &unwilling);
  program(-3, true, 2 * (uint64_t)GIB, &low);
  program(2, true, GIB, &small);
  program(2, true, 3 * (uint64_t)GIB, &large);
  program(10, true, GIB, &equal);
  gw_task *task = rival();
  page = open_page_of(DEVICE);
  struct gw_room_search search = {{0}, 0};
  CHECK(gw_make_room(task, &search) == 1 && parked(&low) == 3 && parked(&large) == 0);
  CHECK(gw_make_room(task, &search) == 1 && parked(&large) == 3 && parked(&small) == 0);
  CHECK(gw_make_room(task, &search) == 1 && parked(&small) == 3);
  CHECK(gw_make_room(task, &search) == 0);
  CHECK(parked(&unwilling) == 0 && parked(&equal) == 0);
  gw_make_room_end(task, &search);
}

/* A new search. It fails where the machine keeps a task that could answer from answering in time.
 */
static bool makes_room(gw_task *task, struct gw_room_search *search) {
  *search = (struct gw_room_search){{0}, 0};
  if (gw_make_room(task, search) == 1) {
    return true;
  }
  gw_make_room_end(task, search);
  return false;
}

/* One that does not answer is waited for, but not for ever. */
static void a_stopped_task_is_not_waited_for(void) {
  setenv("GIVEWAY_PARK_ROOM_MS", "200", 1);
  struct gw_task_info stopped, other;
  pid_t pid = program(-5, true, 0, &stopped);
  program(0, true, 0, &other);
  CHECK(kill(pid, SIGSTOP) == 0);
  CHECK(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WSTOPPED | WNOWAIT) == 0);
  gw_task *task = rival();
  page = open_page_of(DEVICE);
  struct gw_room_search search;
  CHECK(until(makes_room(task, &search), 60000) && parked(&other) == 3);
  CHECK(gw_make_room(task, &search) == 0);
  gw_make_room_end(task, &search);
  CHECK(kill(pid, SIGCONT) == 0);
  CHECK(until((raw_page_of(DEVICE)->rows[stopped.row].park_request & 1) == 0, 60000));
  CHECK(parked(&stopped) == 0);
}

/* The other task has begun: it takes as long as its memory takes. */
static void *finish_late(void *unused) {
  (void)unused;
  CHECK(until((moving->park_request & 1) == 1, 60000));
  usleep(1000000); /* longer than the allocation waits for one that has not begun */
  atomic_store(&moving->parked, GW_PARKED);
  return NULL;
}

static void a_task_that_moves_its_memory_is_waited_for(void) {
  setenv("GIVEWAY_PARK_ROOM_MS", "500", 1);
  gw_task *task = rival();
  pid_t pid = start_moving(GW_PARK_SAVES);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, finish_late, NULL) == 0);
  struct gw_room_search search = {{0}, 0};
  CHECK(gw_make_room(task, &search) == 1 && moving->parked == GW_PARKED);
  gw_make_room_end(task, &search);
  CHECK(pthread_join(thread, NULL) == 0);
  atomic_store(&moving->parked, GW_PARK_SAVES); /* and its end is noticed */
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
  search = (struct gw_room_search){{0}, 0};
  CHECK(gw_make_room(task, &search) == 0);
}

/* Whether a search gives up long before the time that one waits for memory to move: 15 seconds. */
static bool gives_up(gw_task *task) {
  struct gw_room_search search = {{0}, 0};
  uint64_t start = now_ns();
  CHECK(gw_make_room(task, &search) == 0);
  gw_make_room_end(task, &search);
  return now_ns() - start < 10000 * MS;
}

static void a_task_that_does_not_move_its_memory_is_not(void) {
  setenv("GIVEWAY_PARK_ROOM_MS", "500", 1);
  gw_task *task = rival();
  pid_t pid = start_moving(GW_PARK_DRAINS);
  CHECK(gives_up(task));
  atomic_store(&moving->parked, GW_PARK_SAVES);
  CHECK(kill(pid, SIGSTOP) == 0);
  CHECK(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WSTOPPED | WNOWAIT) == 0);
  CHECK(gives_up(task));
  CHECK(kill(pid, SIGKILL) == 0);
}

/* A search neither takes the place of a user's request nor withdraws it, and its end changes no
 * request to the task itself, nor does it need the page's lock. */
static void a_search_leaves_other_requests_alone(void) {
  setenv("GIVEWAY_PARK_ROOM_MS", "200", 1);
  struct gw_task_info low, own;
  pid_t pid = program(-5, true, 0, &low);
  CHECK(kill(pid, SIGSTOP) == 0);
  CHECK(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WSTOPPED | WNOWAIT) == 0);
  gw_task *task = rival();
  page = open_page_of(DEVICE);
  struct gw_page_layout *raw = raw_page_of(DEVICE);
  CHECK(gw_task_describe(task, &own) == GW_OK);
  CHECK(gw_park(page, low.ticket, 0) == GW_OK);
  struct gw_room_search search = {{0}, 0};
  CHECK(gw_make_room(task, &search) == 0);
  CHECK((raw->rows[low.row].park_request & 1) == 1 && raw->rows[low.row].park_for == 0);
  CHECK(raw->rows[own.row].needs_memory == 1);
  CHECK(gw_park(page, own.ticket, low.ticket) == GW_OK);
  CHECK(pthread_mutex_lock(&raw->header.lock) == 0);
  gw_make_room_end(task, &search);
  CHECK(pthread_mutex_unlock(&raw->header.lock) == 0);
  CHECK(raw->rows[own.row].needs_memory == 0 && raw->rows[own.row].park_for == low.ticket);
  CHECK(kill(pid, SIGCONT) == 0);
  CHECK(until(parked(&low) == 3, 60000));
}

/* Two threads search at once, and the first one gives up. */
static void a_search_beside_another(void) {
  setenv("GIVEWAY_PARK_ROOM_MS", "10", 1);
  struct gw_task_info low, own;
  pid_t pid = program(-5, true, 0, &low);
  CHECK(kill(pid, SIGSTOP) == 0);
  CHECK(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WSTOPPED | WNOWAIT) == 0);
  gw_task *task = rival();
  CHECK(gw_task_describe(task, &own) == GW_OK);
  const struct gw_row *row = &raw_page_of(DEVICE)->rows[own.row];
  struct gw_room_search first = {{0}, 0}, second = {{0}, 0};
  CHECK(gw_make_room(task, &first) == 0 && gw_make_room(task, &second) == 0);
  CHECK(gw_make_room(task, &first) == 0 && row->needs_memory == 2);
  gw_make_room_end(task, &first);
  CHECK(row->needs_memory == 1);
  gw_make_room_end(task, &first);
  CHECK(row->needs_memory == 1);
  gw_make_room_end(task, &second);
  CHECK(row->needs_memory == 0);
}

/* It stays parked as long as the urgent task has the memory, for which time the test has a control:
 * a program that was parked for another task comes back meanwhile. */
static void back_when_there_is_room_again(void) {
  enum { MIB = 1 << 20 };
  setenv("GIVEWAY_PARK_LEAST_MS", "10", 1);
  struct gw_task_info low, control, other, own;
  program(0, true, MIB, &low);
  program(0, false, MIB, &control);
  pid_t pid = other_process(&other);
  gw_task *task = rival();
  page = open_page_of(DEVICE);
  struct gw_row *rows = raw_page_of(DEVICE)->rows;
  struct gw_room_search search = {{0}, 0};
  CHECK(gw_make_room(task, &search) == 1 && gw_task_describe(task, &own) == GW_OK);
  CHECK(rows[own.row].needs_memory == 1);
  rows[own.row].memory = UINT64_C(1) << 40; /* more than was free */
  CHECK(gw_park(page, control.ticket, other.ticket) == GW_OK);
  CHECK(until(parked(&control) == 3, 60000));
  gw_make_room_end(task, &search);
  CHECK(rows[own.row].needs_memory == 0);
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
  CHECK(until(parked(&control) == 0, 60000));
  CHECK(parked(&low) == 3);
  rows[own.row].memory = 0;
  CHECK(until(parked(&low) == 0, 60000));
}

static const struct test_case cases[] = {
    {"no room to come back", no_room_to_come_back},
    {"back when the other task has ended", back_when_the_other_task_has_ended},
    {"the least urgent task is parked first", the_least_urgent_task_is_parked_first},
    {"a stopped task is not waited for", a_stopped_task_is_not_waited_for},
    {"a task that moves its memory is waited for", a_task_that_moves_its_memory_is_waited_for},
    {"a task that does not move its memory is not", a_task_that_does_not_move_its_memory_is_not},
    {"a search leaves other requests alone", a_search_leaves_other_requests_alone},
    {"a search beside another", a_search_beside_another},
    {"back when there is room again", back_when_there_is_room_again},
};
RUN_CASES(cases, 120)
