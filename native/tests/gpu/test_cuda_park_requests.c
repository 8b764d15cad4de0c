/* Requests to park reach a program in every state, and on every device that it uses. */
#include "parking.h"

/* ---- a request that arrives while another one is carried out -----------------------------------
 */

static bool is(uint32_t parked) { return until(me().parked == parked, 60000); }

static void asked_while_it_comes_back(void) {
  start_with_work();
  park();
  stop_at("cuCheckpointProcessRestore");
  CHECK(gw_unpark(page, me().ticket) == GW_OK);
  await_stop();
  CHECK(me().parked == GW_PARK_RESTORES && gw_park(page, me().ticket, 0) == GW_OK);
  go_on();
  CHECK(is(GW_PARKED) && fake_calls("cuCheckpointProcessCheckpoint") == 2);
  unpark();
}

/* The first urgent task has ended. The second one needs the memory before all of it is back. */
static void a_second_urgent_task(void) {
  setenv("GIVEWAY_PARK_LEAST_MS", "10", 1);
  setenv("GIVEWAY_PARKABLE", "1", 1);
  setenv("GIVEWAY_PRIORITY", "0", 1);
  start_with_work();
  struct gw_task_info first;
  pid_t pid = other_process(&first);
  CHECK(gw_page_open(DEVICE, 0, &page) == GW_OK);
  CHECK(gw_park(page, me().ticket, first.ticket) == GW_OK && is(GW_PARKED));
  stop_at("cuCheckpointProcessRestore");
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
  await_stop();
  pid_t second = fork();
  if (second == 0) {
    struct gw_room_search search = {{0}, 0};
    CHECK(gw_make_room(rival(), &search) == 1);
    CHECK(raw_page_of(DEVICE)->rows[me().row].parked == GW_PARKED);
    _exit(0);
  }
  struct gw_row *row = &raw_page_of(DEVICE)->rows[me().row];
  CHECK(until((row->park_request & 1) == 1, 60000) && row->parked == GW_PARK_RESTORES);
  go_on();
  int status;
  CHECK(waitpid(second, &status, 0) == second && status == 0);
  CHECK(is(GW_NOT_PARKED)); /* it has ended as well */
}

static void asked_while_it_is_refused(void) {
  setenv("GIVEWAY_FAKE_ERRORS", "cuCheckpointProcessLock=801", 1);
  start_with_work();
  struct gw_task_info other;
  other_process(&other);
  stop_at("cuCheckpointProcessLock");
  CHECK(gw_page_open(DEVICE, 0, &page) == GW_OK);
  CHECK(gw_park(page, me().ticket, other.ticket) == GW_OK);
  await_stop();
  CHECK(gw_park(page, me().ticket, 0) == GW_OK);
  CHECK(me().park_error == GW_PARK_OK);
  go_on();
  CHECK(reach(GW_PARKED) == GW_NOT_PARKED && me().park_error == GW_PARK_UNSUPPORTED);
  CHECK(fake_calls("cuCheckpointProcessLock") == 2); /* each request has its own answer */
}

static void taken_back_while_it_is_saved(void) {
  start_with_work();
  stop_at("cuCheckpointProcessCheckpoint");
  ask_to_park();
  await_stop();
  CHECK(me().parked == GW_PARK_SAVES && gw_unpark(page, me().ticket) == GW_OK);
  go_on();
  CHECK(is(GW_NOT_PARKED) && fake_calls("cuCheckpointProcessRestore") == 1);
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
}

/* The answer to an earlier request is none to this one. */
static void asked_again_after_a_refusal(void) {
  setenv("GIVEWAY_PARK_HOST_GIB", "1", 1);
  start_with_work();
  struct gw_row *row = &raw_page_of(DEVICE)->rows[me().row];
  row->memory = UINT64_C(2) << 30;
  ask_to_park();
  CHECK(reach(GW_PARKED) == GW_NOT_PARKED && me().park_error == GW_PARK_NO_HOST_MEMORY);
  row->memory = 0;
  stop_at("cuCheckpointProcessLock");
  CHECK(gw_park(page, me().ticket, 0) == GW_OK);
  CHECK(me().park_error == GW_PARK_OK);
  await_stop();
  row->park_error = GW_PARK_BUSY; /* the process was late with the earlier answer */
  CHECK(me().park_error == GW_PARK_OK);
  go_on();
  CHECK(is(GW_PARKED) && me().park_error == GW_PARK_OK);
}

/* ---- memory that the program gets while its work ends ------------------------------------------
 */

#define MIB (UINT64_C(1) << 20)

/* Stops the process before it is locked. */
static void begin_to_park(void) {
  stop_at("cuCheckpointProcessLock");
  ask_to_park();
  await_stop();
}

static void refused_late(uint32_t error) {
  go_on();
  CHECK(reach(GW_PARKED) == GW_NOT_PARKED && me().park_error == error);
  CHECK(fake_calls("cuCheckpointProcessCheckpoint") == 0);
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
}

static void more_than_the_host_has(void) {
  setenv("GIVEWAY_PARK_HOST_GIB", "1", 1);
  start_with_work();
  begin_to_park();
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, 2048 * MIB) == 0);
  refused_late(GW_PARK_NO_HOST_MEMORY);
}

static void memory_that_cannot_be_moved(void) {
  start_with_work();
  begin_to_park();
  CUdeviceptr memory;
  CHECK(cuMemAllocManaged(&memory, MIB, 1) == 0);
  refused_late(GW_PARK_MANAGED);
}

/* It was free when that was asked for, and is not free twice. */
static void memory_that_was_free_before(void) {
  setenv("GIVEWAY_FAKE_MEMORY", "104857600", 1);
  setenv("GIVEWAY_FAKE_CONTEXT", "0", 1);
  start_with_work();
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, 10 * MIB) == 0);
  begin_to_park();
  CHECK(cuMemAlloc_v2(&memory, 20 * MIB) == 0 && me().memory == 30 * MIB);
  go_on();
  CHECK(reach(GW_PARKED) == GW_PARKED);
  struct gw_task_info other; /* takes all but 20 MiB */
  pid_t pid = other_process(&other);
  raw_page_of(DEVICE)->rows[other.row].memory = 80 * MIB;
  CHECK(gw_unpark(page, me().ticket) == GW_OK);
  CHECK(until(me().park_error == GW_PARK_NO_ROOM, 60000) && me().parked == GW_PARKED);
  CHECK(me().park_room == 20 * MIB && fake_calls("cuCheckpointProcessRestore") == 0);
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
  unpark();
}

/* A thread is counted, and then late: the driver has been locked before it asks. */
static void a_thread_that_reaches_a_locked_driver(void) {
  setenv("GIVEWAY_PARK_WAIT_MS", "60000", 1);
  start_with_work();
  int (*get_state)(int, int *) = (int (*)(int, int *))fake_function("cuCheckpointProcessGetState");
  int locked = 0, count;
  gw_call_begin();
  ask_to_park();
  CHECK(until((get_state(getpid(), &locked) == 0 && locked == 1) ||
                  fake_calls("cuCheckpointProcessUnlock") != 0, /* it was, for a moment */
              60000));
  CHECK(cuDeviceGetCount(&count) == 0);
  gw_call_end();
  CHECK(reach(GW_PARKED) == GW_PARKED);
  unpark();
}

/* ---- several devices ---------------------------------------------------------------------------
 */

#define SECOND "GPU-fafafafa-fafa-fafa-fafa-fafafafafa01"
static gw_page *pages[2];
static CUcontext contexts[2];
static struct gw_row *rows[2];

static struct gw_row *own_row(const char *device) {
  struct gw_page_layout *raw = raw_page_of(device);
  for (int i = 0; i < (int)GW_ROWS; i++) {
    if (raw->rows[i].state != GW_FREE && raw->rows[i].pid == (uint32_t)getpid()) {
      return &raw->rows[i];
    }
  }
  CHECK(!"the process has a task there");
  return NULL;
}

static void start_on_two_devices(void) {
  static const char *const names[2] = {DEVICE, SECOND};
  CUdeviceptr memory;
  setenv("GIVEWAY_FAKE_DEVICES", "2", 1);
  CHECK(cuInit(0) == 0);
  for (int i = 0; i < 2; i++) {
    CHECK(cuDevicePrimaryCtxRetain(&contexts[i], i) == 0);
    CHECK(cuCtxSetCurrent(contexts[i]) == 0 && cuModuleLoadData(&module, "") == 0);
    CHECK(cuMemAlloc_v2(&memory, 10 * MIB) == 0);
    CHECK(launch(kernel("ns_1000"), NULL) == 0 && cuCtxSynchronize() == 0);
    CHECK(gw_page_open(names[i], 0, &pages[i]) == GW_OK);
    rows[i] = own_row(names[i]);
  }
}

static bool both(uint32_t parked) {
  return until(rows[0]->parked == parked && rows[1]->parked == parked, 60000);
}

static uint64_t free_on(int device) {
  size_t available, total;
  CHECK(cuCtxSetCurrent(contexts[device]) == 0);
  CHECK(cuMemGetInfo_v2(&available, &total) == 0);
  return available;
}

/* Another program, which says what is free on a device. */
static int orders[2], answers[2];

static pid_t start_witness(void) {
  CHECK(pipe(orders) == 0 && pipe(answers) == 0);
  pid_t pid = fork();
  for (int device; pid == 0 && read(orders[0], &device, sizeof device) == sizeof device;) {
    if (contexts[0] == NULL) {
      start_on_two_devices();
    }
    uint64_t bytes = free_on(device);
    CHECK(write(answers[1], &bytes, sizeof bytes) == sizeof bytes);
  }
  return pid;
}

static uint64_t free_elsewhere(int device) {
  uint64_t bytes = 0;
  CHECK(write(orders[1], &device, sizeof device) == sizeof device);
  CHECK(read(answers[0], &bytes, sizeof bytes) == sizeof bytes);
  return bytes;
}

/* The driver moves the memory of all devices, so the gates of all are closed before. */
static void all_devices_at_once(void) {
  start_witness();
  start_on_two_devices();
  free_elsewhere(0);
  uint64_t before = free_elsewhere(0);
  CHECK(free_elsewhere(1) == before);
  CHECK(gw_park(pages[1], rows[1]->ticket, 0) == GW_OK && both(GW_PARKED));
  CHECK(rows[0]->gate == GW_CLOSED && rows[1]->gate == GW_CLOSED);
  CHECK(free_elsewhere(0) == before + 10 * MIB && free_elsewhere(1) == before + 10 * MIB);
  CHECK(gw_unpark(pages[1], rows[1]->ticket) == GW_OK && both(GW_NOT_PARKED));
  CHECK(rows[0]->gate == GW_OPEN && rows[1]->gate == GW_OPEN);
  CHECK(free_elsewhere(0) == before && free_elsewhere(1) == before);
}

/* It is parked while it is wanted on one of them. A program that comes back meanwhile is the
 * control. */
static void a_request_on_each_device(void) {
  start_witness();
  free_elsewhere(0);
  start_on_two_devices();
  struct gw_row *control = &raw_page_of(DEVICE)->rows[0];
  CHECK(control != rows[0] && gw_park(pages[0], control->ticket, 0) == GW_OK);
  CHECK(gw_park(pages[0], rows[0]->ticket, 0) == GW_OK && both(GW_PARKED));
  CHECK(gw_park(pages[1], rows[1]->ticket, 0) == GW_OK && until(control->parked == 3, 60000));
  CHECK(gw_unpark(pages[0], rows[0]->ticket) == GW_OK);
  CHECK(gw_unpark(pages[0], control->ticket) == GW_OK && until(control->parked == 0, 60000));
  CHECK(rows[0]->parked == GW_PARKED && rows[1]->parked == GW_PARKED);
  CHECK(fake_calls("cuCheckpointProcessRestore") == 0);
  CHECK(gw_unpark(pages[1], rows[1]->ticket) == GW_OK && both(GW_NOT_PARKED));
}

/* Memory was taken on the device that nobody has asked about. */
static void no_room_on_the_other_device(void) {
  start_on_two_devices();
  gw_task *taker;
  struct gw_task_options options = {.name = "taker"};
  struct gw_task_info other;
  int ends[2];
  CHECK(gw_park(pages[0], rows[0]->ticket, 0) == GW_OK && both(GW_PARKED));
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(gw_join(open_page_of(SECOND), &options, &taker) == GW_OK);
    CHECK(gw_task_describe(taker, &other) == GW_OK);
    raw_page_of(SECOND)->rows[other.row].memory = UINT64_C(100) << 30;
    CHECK(write(ends[1], "x", 1) == 1);
    pause();
  }
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  CHECK(gw_unpark(pages[0], rows[0]->ticket) == GW_OK);
  CHECK(until(rows[0]->park_error == GW_PARK_NO_ROOM && rows[0]->parked == GW_PARKED, 60000));
  CHECK(rows[0]->park_room >= 10 * MIB && rows[1]->park_room < 10 * MIB);
  CHECK(until((rows[0]->park_request & 1) == 1, 60000) && (rows[1]->park_request & 1) == 0);
  CHECK(fake_calls("cuCheckpointProcessRestore") == 0);
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
  CHECK(gw_unpark(pages[0], rows[0]->ticket) == GW_OK && both(GW_NOT_PARKED));
}

struct properties {
  int type, handle_types, location_type, location;
  uint64_t rest[4];
};

/* Memory of the second device, while the first one is current. */
static void use_second_from_first(void) {
  setenv("GIVEWAY_FAKE_DEVICES", "2", 1);
  start_with_work();
  CHECK(cuCtxGetCurrent(&contexts[0]) == 0);
  struct properties wanted = {.type = 1, .location_type = 1, .location = 1};
  void *handle;
  CHECK(cuMemCreate(&handle, 2 * MIB, &wanted, 0) == 0);
  CHECK(gw_page_open(SECOND, 0, &pages[1]) == GW_OK);
  rows[0] = own_row(DEVICE);
  rows[1] = own_row(SECOND);
}

/* Its memory is not moved where nobody could say later whether it fits. */
static void a_device_without_a_context(void) {
  use_second_from_first();
  ask_to_park();
  CHECK(until(rows[0]->park_error == GW_PARK_ROOM_UNKNOWN, 60000) && rows[0]->parked == 0);
  CHECK(fake_calls("cuCheckpointProcessLock") == 0);
  CUdeviceptr memory;
  CHECK(cuDevicePrimaryCtxRetain(&contexts[1], 1) == 0 && cuCtxSetCurrent(contexts[1]) == 0);
  CHECK(cuMemAlloc_v2(&memory, 10 * MIB) == 0);
  CHECK(gw_park(page, rows[0]->ticket, 0) == GW_OK && both(GW_PARKED));
  CHECK(gw_unpark(page, rows[0]->ticket) == GW_OK && both(GW_NOT_PARKED));
  CHECK(cuDevicePrimaryCtxReset_v2(1) == 0); /* the handle stays */
  CHECK(gw_park(page, rows[0]->ticket, 0) == GW_OK);
  CHECK(until(rows[0]->park_error == GW_PARK_ROOM_UNKNOWN, 60000) && rows[0]->parked == 0);
}

/* A library has retained the context, too, and gives it back. The program launches nothing more. */
static void a_context_that_is_still_there(void) {
  start_with_work();
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, MIB) == 0);
  CHECK(cuDevicePrimaryCtxRetain(&contexts[0], 0) == 0 && cuDevicePrimaryCtxRelease_v2(0) == 0);
  park();
  unpark();
}

static void *use_second(void *unused) {
  CUmodule other;
  CUfunction function;
  CHECK(cuCtxSetCurrent(contexts[1]) == 0 && cuModuleLoadData(&other, "") == 0);
  CHECK(cuModuleGetFunction(&function, other, "ns_1000") == 0 && launch(function, NULL) == 0);
  return unused;
}

/* What was free there is noted before its memory moves. */
static void a_device_is_first_used_while_another_drains(void) {
  setenv("GIVEWAY_FAKE_DEVICES", "2", 1);
  setenv("GIVEWAY_CONTEXT_MIB", "100", 1);
  start_with_work();
  CHECK(cuDevicePrimaryCtxRetain(&contexts[1], 1) == 0);
  stop_at("cuCheckpointProcessLock");
  ask_to_park();
  await_stop();
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, use_second, NULL) == 0);
  CHECK(until(gw_page_open(SECOND, 0, &pages[1]) == GW_OK, 60000));
  struct gw_page_layout *second = raw_page_of(SECOND);
  CHECK(until(second->rows[0].memory == 100 * MIB, 60000));
  go_on();
  CHECK(reach(GW_PARKED) == GW_PARKED && second->rows[0].parked == GW_PARKED);
  CHECK(fake_calls("cuCheckpointProcessLock") == 2);
  unpark();
  CHECK(pthread_join(thread, NULL) == 0);
}

static const struct test_case cases[] = {
    {"asked while it comes back", asked_while_it_comes_back},
    {"a second urgent task", a_second_urgent_task},
    {"asked while it is refused", asked_while_it_is_refused},
    {"taken back while it is saved", taken_back_while_it_is_saved},
    {"asked again after a refusal", asked_again_after_a_refusal},
    {"more than the host has", more_than_the_host_has},
    {"memory that cannot be moved", memory_that_cannot_be_moved},
    {"memory that was free before", memory_that_was_free_before},
    {"a thread that reaches a locked driver", a_thread_that_reaches_a_locked_driver},
    {"all devices at once", all_devices_at_once},
    {"a request on each device", a_request_on_each_device},
    {"no room on the other device", no_room_on_the_other_device},
    {"a device without a context", a_device_without_a_context},
    {"a context that is still there", a_context_that_is_still_there},
    {"a device is first used while another drains", a_device_is_first_used_while_another_drains},
};
RUN_CASES(cases, 120)
