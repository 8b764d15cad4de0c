/* A program is parked: its work ends, its device memory goes to the host, and it waits. */
#include <sys/syscall.h>

#include "parking.h"

#define KERNELS 10

struct lock_arguments {
  unsigned timeout_ms, reserved[15];
};

static gw_task *urgent;

/* Kernels that the device holds at the gate. */
static void submit_held(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
  start_cuda();
  CUfunction f = kernel("ns_1000000");
  urgent = rival();
  CHECK(launch(f, NULL) == 0 && cuCtxSynchronize() == 0);
  gw_begin(urgent);
  for (int i = 0; i < KERNELS; i++) {
    CHECK(launch(f, NULL) == 0);
  }
  CHECK(until(fake_held(), 60000));
}

static void let_others_go(void) {
  gw_end(urgent);
  gw_idle(urgent);
}

/* What giveway must do first: the driver waits for work that the gate holds. */
static void held_work_ends_first(void) {
  submit_held();
  struct lock_arguments soon = {.timeout_ms = 200};
  CHECK(cuCheckpointProcessLock(getpid(), &soon) == 600);
  CHECK(fake_held());
  park();
  CHECK(fake_in_flight_ns() == 0 && fake_calls("cuCheckpointProcessCheckpoint") == 1);
  CHECK(own_task().gate_closed && !own_task().active);
  unpark();
  let_others_go();
  CHECK(cuCtxSynchronize() == 0);
}

/* Threads that wait for `go`, and then make one call. A context must be current before: the driver
 * lets a locked process wait in any call. */
static _Atomic uint32_t go;
static CUcontext context;

struct caller {
  void (*call)(void);
  pthread_t thread;
  _Atomic int id;
  _Atomic bool done;
};

static void *call_in_thread(void *argument) {
  struct caller *caller = argument;
  CHECK(cuCtxSetCurrent(context) == 0);
  atomic_store(&caller->id, (pid_t)syscall(SYS_gettid));
  while (atomic_load(&go) == 0) {
    usleep(200);
  }
  caller->call();
  atomic_store(&caller->done, true);
  return NULL;
}

static void launches(void) { CHECK(launch(short_kernel, NULL) == 0); }
static void synchronises(void) { CHECK(cuCtxSynchronize() == 0); }
static void waits_for_stream(void) { CHECK(cuStreamSynchronize(NULL) == 0); }
static void asks(void) { CHECK(cuStreamQuery(NULL) != 1); }
static void copies(void) {
  char from[8] = "", to[8];
  CHECK(cuMemcpyDtoH_v2(to, (CUdeviceptr)from, sizeof to) == 0);
}

/* Whether the kernel has the thread asleep in a futex. */
static bool sleeps(const struct caller *caller) {
  char path[64], text[16] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", caller->id);
  FILE *file = fopen(path, "r");
  bool asleep = file != NULL && fscanf(file, "%15s", text) == 1 && atoi(text) == SYS_futex;
  if (file != NULL) {
    fclose(file);
  }
  return asleep;
}

/* No call reaches the driver: the fake one ends a program that synchronises, as the real one may.
 */
static void threads_wait_while_parked(void) {
  static struct caller callers[] = {
      {.call = launches}, {.call = synchronises}, {.call = waits_for_stream},
      {.call = asks},     {.call = copies},
  };
  const unsigned count = sizeof callers / sizeof *callers;
  start_with_work();
  CHECK(cuCtxGetCurrent(&context) == 0);
  for (unsigned i = 0; i < count; i++) {
    CHECK(pthread_create(&callers[i].thread, NULL, call_in_thread, &callers[i]) == 0);
    CHECK(until(callers[i].id != 0, 60000));
  }
  park();
  atomic_store(&go, 1);
  for (unsigned i = 0; i < count; i++) {
    CHECK(until(sleeps(&callers[i]), 60000) && !callers[i].done);
  }
  unpark();
  for (unsigned i = 0; i < count; i++) {
    CHECK(pthread_join(callers[i].thread, NULL) == 0 && callers[i].done);
  }
}

/* A call that began before it was known that the process can be parked. */
static void an_earlier_call(void) {
  gw_call_begin();
  start_with_work();
  gw_call_end();
  park();
  unpark();
}

/* An urgent task that is parked holds no other task. */
static void a_parked_task_holds_nobody(void) {
  setenv("GIVEWAY_PRIORITY", "20", 1);
  start_cuda();
  short_kernel = kernel("ns_200000000");
  struct gw_task_info other;
  other_process(&other);
  CHECK(launch(short_kernel, NULL) == 0); /* the device finishes it first */
  CHECK(gw_page_open(DEVICE, 0, &page) == GW_OK);
  CHECK(gw_task_at(page, other.row, other.ticket, &other) == GW_OK && other.gate_closed);
  park();
  CHECK(gw_task_at(page, other.row, other.ticket, &other) == GW_OK && !other.gate_closed);
  unpark();
}

/* ---- refusals: nothing has changed, and the program goes on ------------------------------------
 */

static void refused(const char *errors, uint32_t error, uint32_t number) {
  setenv("GIVEWAY_FAKE_ERRORS", errors, 1);
  start_cuda();
  short_kernel = kernel("ns_1000");
  CHECK(launch(short_kernel, NULL) == 0);
  ask_to_park();
  CHECK(reach(3) == 0 && me().park_error == error && me().park_number == number);
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
  CHECK(!own_task().gate_closed);
}

static void not_supported(void) {
  refused("cuCheckpointProcessLock=801", GW_PARK_UNSUPPORTED, 801);
}
static void not_permitted(void) { refused("cuCheckpointProcessLock=800", GW_PARK_FORBIDDEN, 800); }
static void failed_halfway(void) {
  refused("cuCheckpointProcessCheckpoint=999", GW_PARK_DRIVER, 999);
}

static void refused_as_shared(void) {
  ask_to_park();
  CHECK(reach(3) == 0 && me().park_error == GW_PARK_SHARED);
  CHECK(fake_calls("cuCheckpointProcessLock") == 0);
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
}

static void memory_that_was_given_away(void) {
  struct ipc_handle handle;
  start_cuda();
  short_kernel = kernel("ns_1000");
  CHECK(launch(short_kernel, NULL) == 0);
  CHECK(cuIpcGetMemHandle(&handle, 4096) == 0);
  refused_as_shared();
}

static void managed_memory(void) {
  CUdeviceptr memory;
  start_with_work();
  CHECK(cuMemAllocManaged(&memory, 4096, 1) == 0);
  ask_to_park();
  CHECK(reach(3) == 0 && me().park_error == GW_PARK_MANAGED);
  CHECK(fake_calls("cuCheckpointProcessLock") == 0);
}

/* The handle, which is passed on the stack, reaches the driver. */
static void memory_of_another_process(void) {
  struct ipc_handle handle = {{0}};
  CUdeviceptr wanted = 8192, found = 0;
  start_cuda();
  short_kernel = kernel("ns_1000");
  CHECK(launch(short_kernel, NULL) == 0);
  memcpy(handle.bytes + 56, &wanted, sizeof wanted);
  CHECK(cuIpcOpenMemHandle_v2(&found, handle, 1) == 0 && found == wanted);
  refused_as_shared();
}

static void work_does_not_end(const char *wait_ms) {
  setenv("GIVEWAY_PARK_WAIT_MS", wait_ms, 1);
  start_cuda();
  short_kernel = kernel("ns_1000");
  static _Atomic uint32_t never;
  CHECK(launch(short_kernel, NULL) == 0);
  CHECK(cuStreamWaitValue32_v2(NULL, (CUdeviceptr)&never, 1, 0) == 0);
  ask_to_park();
  CHECK(reach(3) == 0 && me().park_error == GW_PARK_BUSY);
  CHECK(launch(short_kernel, NULL) == 0); /* behind it */
  atomic_store(&never, 1);
  CHECK(cuCtxSynchronize() == 0);
}

static void work_that_does_not_end(void) { work_does_not_end("200"); }

/* The driver takes 0 for no limit. */
static void no_time_for_work_that_does_not_end(void) { work_does_not_end("0"); }

static void too_little_host_memory(void) {
  setenv("GIVEWAY_PARK_HOST_GIB", "1", 1);
  start_with_work();
  raw_page_of(DEVICE)->rows[me().row].memory = UINT64_C(2) << 30;
  ask_to_park();
  CHECK(reach(3) == 0 && me().park_error == GW_PARK_NO_HOST_MEMORY);
  CHECK(me().park_room <= UINT64_C(1) << 30);
  CHECK(fake_calls("cuCheckpointProcessLock") == 0); /* nothing has moved */
}

/* More than any machine says that it has. */
static void park_so_much(void) {
  start_with_work();
  raw_page_of(DEVICE)->rows[me().row].memory = UINT64_C(1) << 46;
  ask_to_park();
  reach(3);
}

static void host_memory_that_the_user_states(void) {
  setenv("GIVEWAY_CGROUP", "/dev/null", 1);
  pid_t pid = fork();
  if (pid == 0) {
    park_so_much();
    CHECK(me().parked == 0 && me().park_error == GW_PARK_NO_HOST_MEMORY);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  setenv("GIVEWAY_PARK_HOST_GIB", "100000", 1);
  park_so_much();
  CHECK(me().parked == 3);
}

static void write_file(const char *name, const char *text) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", getenv("GIVEWAY_DIR"), name);
  FILE *file = fopen(path, "w");
  CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* The group above all, as in a container. */
static void a_limit_of_the_group_counts_in_any_case(void) {
  setenv("GIVEWAY_CGROUP", getenv("GIVEWAY_DIR"), 1);
  setenv("GIVEWAY_PARK_HOST_GIB", "100000", 1);
  write_file("memory.max", "3000000000\n");
  write_file("memory.current", "2000000000\n");
  write_file("memory.stat", "anon 1\ninactive_file 500000000\n");
  park_so_much();
  CHECK(me().parked == 0 && me().park_error == GW_PARK_NO_HOST_MEMORY);
  CHECK(me().park_room == 1500000000);
}

/* No user can ask any more. */
static void back_when_the_page_has_gone(void) {
  char path[4096];
  start_with_work();
  park();
  CHECK(gw_page_path(DEVICE, path, sizeof path) == GW_OK && unlink(path) == 0);
  CHECK(until(fake_calls("cuCheckpointProcessUnlock") == 1, 60000));
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
}

/* Another process is stopped in a transition: the rows say so all the same, and the gate follows.
 */
static void back_without_the_lock(void) {
  int ends[2];
  char byte = 0;
  start_with_work();
  park();
  struct gw_page_layout *raw = raw_page_of(DEVICE);
  struct gw_row *row = &raw->rows[me().row];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(pthread_mutex_lock(&raw->header.lock) == 0 && write(ends[1], &byte, 1) == 1);
    pause();
  }
  CHECK(read(ends[0], &byte, 1) == 1);
  atomic_fetch_add(&row->park_request, 1);
  CHECK(until(row->parked == 0, 60000));
  CHECK(row->gate == GW_CLOSED);
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
  CHECK(until(row->gate == GW_OPEN, 60000));
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
}

static const struct test_case cases[] = {
    {"held work ends first", held_work_ends_first},
    {"threads wait while parked", threads_wait_while_parked},
    {"an earlier call", an_earlier_call},
    {"a parked task holds nobody", a_parked_task_holds_nobody},
    {"the driver does not support it", not_supported},
    {"the driver does not permit it", not_permitted},
    {"the driver fails half way", failed_halfway},
    {"memory that was given away", memory_that_was_given_away},
    {"memory of another process", memory_of_another_process},
    {"managed memory", managed_memory},
    {"work that does not end", work_that_does_not_end},
    {"no time for work that does not end", no_time_for_work_that_does_not_end},
    {"too little host memory", too_little_host_memory},
    {"host memory that the user states", host_memory_that_the_user_states},
    {"a limit of the group counts in any case", a_limit_of_the_group_counts_in_any_case},
    {"back when the page has gone", back_when_the_page_has_gone},
    {"back without the page's lock", back_without_the_lock},
};
RUN_CASES(cases, 120)
