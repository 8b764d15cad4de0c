/* Work that is submitted and has not begun stops at the gate, on the device. */
#include "cuda_harness.h"

#define KERNELS 20

static gw_task *urgent;
static _Atomic uint32_t go;

/* A rival that is there, and kernels of 1 ms on a stream, submitted ahead. None of them begins
 * before let_go. */
static void submit(CUstream stream) {
  CUfunction f = kernel("ns_1000000");
  atomic_store(&go, 0);
  CHECK(cuStreamWaitValue32_v2(stream, (CUdeviceptr)&go, 1, 0) == 0);
  urgent = rival();
  for (int i = 0; i < KERNELS; i++) {
    CHECK(launch(f, stream) == 0);
  }
}

static void let_go(void) { atomic_store(&go, 1); }

/* Running work continues to the next gate; the work behind that gate does not begin. */
static bool in_flight_stays(void) {
  let_go();
  return until(fake_held(), 60000) && fake_in_flight_ns() >= 5 * MS;
}

static void held_on(CUstream stream) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  if (stream == (CUstream)-1) {
    CHECK(cuStreamCreate(&stream, 1) == 0);
  }
  submit(stream);
  uint64_t closed = now_ns();
  gw_begin(urgent);
  CHECK(in_flight_stays());
  sleep_ms(50);
  uint64_t opened = now_ns();
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(cuStreamSynchronize(stream) == 0 && now_ns() - opened >= 5 * MS);
  uint64_t held_ns = own_task().held_ns;
  CHECK(held_ns >= 50 * MS && held_ns <= now_ns() - closed);
}

static void null_stream(void) { held_on(NULL); }
static void per_thread_stream(void) { held_on((CUstream)2); }
static void created_stream(void) { held_on((CUstream)-1); }

/* How many gates there are before so many kernels of 20 us. The device begins when all of them are
 * there, so that each takes exactly as long as it should. */
static uint64_t gates_of(int launches, CUfunction f) {
  atomic_store(&go, 0);
  CHECK(cuStreamWaitValue32_v2(NULL, (CUdeviceptr)&go, 1, 0) == 0);
  uint64_t before = fake_calls("cuStreamWaitValue32_v2");
  for (int i = 0; i < launches; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  let_go();
  CHECK(cuCtxSynchronize() == 0);
  return fake_calls("cuStreamWaitValue32_v2") - before;
}

static CUfunction known_kernel(void) {
  CUfunction f = kernel("ns_20000");
  urgent = rival();
  gates_of(100, f);
  return f;
}

static void gates_are_spaced(void) {
  setenv("GIVEWAY_STREAM_GATE_US", "250", 1);
  start_cuda();
  uint64_t gates = gates_of(1200, known_kernel());
  CHECK(gates >= 90 && gates <= 110); /* one every 12 */
}

/* One every 5 for a second, and one every 12 otherwise. */
static bool close_together(CUfunction f) { return gates_of(600, f) >= 80; }

static bool close_after_a_preemption(CUfunction f) {
  make_known(f, 1);
  gw_begin(urgent);
  gw_end(urgent);
  gw_idle(urgent);
  return close_together(f);
}

/* A machine that stands still may let the second pass. */
static void gates_are_closer_after_a_preemption(void) {
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  start_cuda();
  CUfunction f = known_kernel();
  CHECK(!close_together(f));
  CHECK(until(close_after_a_preemption(f), 60000));
  CHECK(until(!close_together(f), 60000));
}

/* A process of its own that is more urgent and has work, for ever. */
static pid_t urgent_process(void) {
  int ends[2];
  char byte;
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    gw_begin(rival());
    CHECK(write(ends[1], "", 1) == 1);
    pause();
  }
  CHECK(read(ends[0], &byte, 1) == 1);
  return pid;
}

/* Work waits at the gate. While the machine keeps the urgent process from its heartbeat the gate is
 * open, and work may run out. */
static bool other_process_holds(CUstream stream) {
  CUfunction f = kernel("ns_1000000");
  for (int i = 0; i < KERNELS && fake_in_flight_ns() < 5 * MS; i++) {
    CHECK(launch(f, stream) == 0);
  }
  return fake_held() && fake_in_flight_ns() >= 5 * MS;
}

static void killed_while_it_holds(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  submit(NULL);
  pid_t pid = urgent_process();
  let_go();
  CHECK(until(other_process_holds(NULL), 60000));
  CHECK(kill(pid, SIGKILL) == 0);
  CHECK(cuCtxSynchronize() == 0);
}

/* The driver says nothing about per-thread streams, so the task may be idle when the gate closes.
 */
static void killed_while_it_holds_a_per_thread_stream(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  submit((CUstream)2);
  await_watcher();
  pid_t pid = urgent_process();
  let_go();
  CHECK(until(other_process_holds((CUstream)2), 60000));
  CHECK(kill(pid, SIGKILL) == 0);
  CHECK(cuCtxSynchronize() == 0);
}

/* A task that is held on the device has turns too. */
static void a_quantum_after_max_wait(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "50", 1);
  start_cuda();
  submit(NULL);
  gw_begin(urgent);
  let_go();
  CHECK(cuCtxSynchronize() == 0);
}

static void page_path(char *path) { CHECK(gw_page_path(DEVICE, path, 4096) == GW_OK); }

/* The task was taken for dead, and another task has its row by now. */
static void back_in_another_row(void) {
  char path[4096];
  setenv("GIVEWAY_LINGER_MS", "100000", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  submit(NULL);
  let_go();
  CHECK(cuCtxSynchronize() == 0);
  page_path(path);
  int fd = open(path, O_RDWR);
  struct gw_page_layout *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  uint32_t row = own_task().row;
  CHECK(page != MAP_FAILED && row < GW_ROWS);
  atomic_store(&page->rows[row].state, GW_FREE);
  atomic_store(&page->rows[row].ticket, 0);
  gw_task *other = rival();
  struct gw_task_info info;
  CHECK(gw_task_describe(other, &info) == GW_OK && info.row == row);
  CUfunction f = kernel("ns_1000000");
  /* Once its watcher has seen it. */
  CHECK(until(launch(f, NULL) == 0 && cuCtxSynchronize() == 0 && own_task().row != row &&
                  own_task().row < GW_ROWS,
              60000));
  gw_begin(urgent);
  for (int i = 0; i < KERNELS; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(until(fake_held(), 60000) && fake_in_flight_ns() == KERNELS * MS);
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(cuCtxSynchronize() == 0);
}

static void page_truncated_while_held(void) {
  char path[4096];
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  submit(NULL);
  gw_begin(urgent);
  CHECK(in_flight_stays());
  page_path(path);
  CHECK(truncate(path, 0) == 0);
  /* The device may have kept the old memory. */
  CHECK(until(fake_calls("cuStreamWriteValue32_v2") > 0, 60000));
  CHECK(fake_calls("cuStreamWriteValue32_v2") == 1);
  CHECK(cuCtxSynchronize() == 0);
}

static void page_deleted_while_held(void) {
  char path[4096];
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  submit(NULL);
  gw_begin(urgent);
  CHECK(in_flight_stays());
  page_path(path);
  CHECK(unlink(path) == 0);
  CHECK(cuCtxSynchronize() == 0);
}

static void page_overwritten_while_held(void) {
  char path[4096];
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  submit(NULL);
  gw_begin(urgent);
  CHECK(in_flight_stays());
  page_path(path);
  int fd = open(path, O_WRONLY);
  for (int i = 0; i < 48; i++) {
    char noise[1024];
    memset(noise, 0xB5, sizeof noise);
    CHECK(write(fd, noise, sizeof noise) == sizeof noise);
  }
  CHECK(cuCtxSynchronize() == 0);
}

/* Streams of one process may share a queue of the device, and block each other there. */
static void not_between_threads(void) {
  start_cuda();
  CUfunction f = kernel("ns_1000");
  gw_own *own;
  rival();
  CHECK(gw_enter(DEVICE, "thread", 1, &own) == GW_OK);
  for (int i = 0; i < 50; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(fake_calls("cuStreamWaitValue32_v2") == 0);
  CHECK(cuCtxSynchronize() == 0);
  gw_exit(own);
}

static void window_instead(const char *errors) {
  setenv("GIVEWAY_FAKE_ERRORS", errors, 1);
  start_cuda();
  uint64_t found = window_of(kernel("ns_100000"));
  CHECK(found >= 200 * US && found <= 500 * US);
  CHECK(fake_calls("cuStreamWaitValue32_v2") <= 1);
}

static void memory_that_cannot_be_registered(void) { window_instead("cuMemHostRegister_v2=801"); }
static void drivers_without_waits(void) { window_instead("cuStreamWaitValue32_v2=801"); }

static void graphs_where_asked_for(void) {
  setenv("GIVEWAY_GRAPH_GATE_EVERY", "5", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  CUstream stream;
  CUgraph graph;
  CUgraphExec exec;
  size_t nodes = 0;
  CHECK(cuStreamCreate(&stream, 1) == 0);
  CUfunction f = kernel("ns_1000000");
  CHECK(cuStreamBeginCapture_v2(stream, 0) == 0);
  for (int i = 0; i < KERNELS; i++) {
    CHECK(launch(f, stream) == 0);
  }
  CHECK(cuStreamEndCapture(stream, &graph) == 0);
  CHECK(cuGraphGetNodes(graph, NULL, &nodes) == 0 && nodes == KERNELS + KERNELS / 5);
  CHECK(cuStreamWaitValue32_v2(stream, (CUdeviceptr)&go, 1, 0) == 0);
  CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == 0 && cuGraphLaunch(exec, stream) == 0);
  urgent = rival();
  gw_begin(urgent);
  CHECK(in_flight_stays());
  gw_end(urgent);
  gw_idle(urgent);
  CHECK(cuCtxSynchronize() == 0);
}

/* No value of the word holds any task but the one whose gate is closed. */
static bool passes(uint32_t word, uint64_t ticket) {
  return (int32_t)(word - GW_STREAM_OPEN(ticket)) >= 0;
}

static void words(void) {
  const uint64_t tickets[] = {1, 2, 1000, GW_STREAM_TICKETS / 2, GW_STREAM_TICKETS - 2};
  for (unsigned i = 0; i < sizeof tickets / sizeof *tickets; i++) {
    uint64_t ticket = tickets[i];
    CHECK(passes(GW_STREAM_OPEN(ticket), ticket) && !passes(GW_STREAM_CLOSED(ticket), ticket));
    CHECK(passes(0, ticket) && passes(UINT32_MAX, ticket));
    for (unsigned j = i + 1; j < sizeof tickets / sizeof *tickets; j++) {
      CHECK(passes(GW_STREAM_OPEN(tickets[j]), ticket));
      CHECK(passes(GW_STREAM_CLOSED(tickets[j]), ticket));
    }
  }
}

static const struct test_case cases[] = {
    {"the NULL stream", null_stream},
    {"a per-thread stream", per_thread_stream},
    {"a created stream", created_stream},
    {"gates are spaced", gates_are_spaced},
    {"gates are closer after a preemption", gates_are_closer_after_a_preemption},
    {"the holder is killed", killed_while_it_holds},
    {"the holder is killed, a per-thread stream", killed_while_it_holds_a_per_thread_stream},
    {"a quantum after max_wait", a_quantum_after_max_wait},
    {"back in another row", back_in_another_row},
    {"the page is truncated while it holds", page_truncated_while_held},
    {"the page is deleted while it holds", page_deleted_while_held},
    {"the page is overwritten while it holds", page_overwritten_while_held},
    {"not between threads", not_between_threads},
    {"memory that cannot be registered", memory_that_cannot_be_registered},
    {"drivers without waits", drivers_without_waits},
    {"inside graphs, where that is asked for", graphs_where_asked_for},
    {"words", words},
};
RUN_CASES(cases, 240)
