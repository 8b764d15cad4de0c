/* Allocations and contexts that a full device has no room for: less urgent tasks are parked. */
#include "parking.h"

/* A program that has so much of the device, and writes to it as long as it runs. */
static pid_t holder(bool parkable, uint64_t bytes, struct gw_task_info *info) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    CUdeviceptr memory;
    setenv("GIVEWAY_PRIORITY", "0", 1);
    setenv("GIVEWAY_PARKABLE", parkable ? "1" : "0", 1);
    start_with_work();
    CHECK(cuMemAlloc_v2(&memory, bytes) == 0);
    *info = me();
    CHECK(write(ends[1], info, sizeof *info) == sizeof *info);
    for (;;) {
      CHECK(cuMemsetD8_v2(memory, 1, 64) == 0);
      usleep(1000);
    }
  }
  CHECK(read(ends[0], info, sizeof *info) == sizeof *info);
  return pid;
}

static void device_of(uint64_t bytes, const char *context) {
  char text[32];
  snprintf(text, sizeof text, "%lu", (unsigned long)bytes);
  setenv("GIVEWAY_FAKE_MEMORY", text, 1);
  setenv("GIVEWAY_FAKE_CONTEXT", context, 1);
  setenv("GIVEWAY_PARK_LEAST_MS", "10", 1);
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1);
}

static void start_urgent(void) {
  setenv("GIVEWAY_PRIORITY", "10", 1);
  start_with_work();
  page = open_page_of(DEVICE);
}

#define MIB (UINT64_C(1) << 20)

/* Two programs that each need more than half of the device. */
static void an_allocation_makes_room(void) {
  struct gw_task_info low;
  size_t available, total;
  device_of(100 * MIB, "0");
  holder(true, 70 * MIB, &low);
  start_urgent();
  /* Servers look how much there is before they allocate. */
  CHECK(cuMemGetInfo_v2(&available, &total) == 0);
  CHECK(available == 100 * MIB && total == 100 * MIB);
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, 80 * MIB) == 0);
  CHECK(parked(&low) == 3);
  CHECK(cuMemFree_v2(memory) == 0);
  CHECK(until(parked(&low) == 0, 60000));
}

static void only_what_may_be_parked(void) {
  struct gw_task_info low;
  size_t available, total;
  device_of(100 * MIB, "0");
  holder(false, 70 * MIB, &low);
  start_urgent();
  CHECK(cuMemGetInfo_v2(&available, &total) == 0 && available == 30 * MIB);
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, 80 * MIB) == 2);
  CHECK(parked(&low) == 0);
}

/* The task's own limit is no lack of memory. */
static void nobody_is_parked_for_a_limit(void) {
  struct gw_task_info low;
  device_of(100 * MIB, "0");
  holder(true, 10 * MIB, &low);
  setenv("GIVEWAY_MEMORY", "20971520", 1);
  start_urgent();
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, 30 * MIB) == 2);
  CHECK(parked(&low) == 0);
  CHECK(cuMemAlloc_v2(&memory, 10 * MIB) == 0);
}

/* More than the device has: all are parked, and the driver's error is returned. */
static void more_than_there_is(void) {
  struct gw_task_info low;
  device_of(100 * MIB, "0");
  holder(true, 70 * MIB, &low);
  start_urgent();
  CUdeviceptr memory;
  CHECK(cuMemAlloc_v2(&memory, 200 * MIB) == 2);
  CHECK(until(parked(&low) == 0, 60000)); /* there is room */
}

/* A program that starts on a full device has no task yet. */
static void a_context_makes_room(void) {
  struct gw_task_info low;
  device_of(100 * MIB, "20971520");
  holder(true, 70 * MIB, &low);
  start_urgent();
  CHECK(parked(&low) == 3);
}

/* The urgent program ends when it is idle, without leaving its row, and no task frees that: the
 * other one goes on with what it had. */
static void back_after_the_urgent_program(void) {
  struct gw_task_info low;
  device_of(100 * MIB, "0");
  holder(true, 70 * MIB, &low);
  pid_t pid = fork();
  if (pid == 0) {
    CUdeviceptr memory;
    setenv("GIVEWAY_PRIORITY", "10", 1);
    start_with_work();
    CHECK(cuMemAlloc_v2(&memory, 80 * MIB) == 0);
    struct gw_row *rows = raw_page_of(DEVICE)->rows;
    CHECK(rows[low.row].parked == 3);
    CHECK(until(rows[1 - low.row].state == GW_IDLE, 60000));
    _exit(0);
  }
  page = open_page_of(DEVICE);
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  CHECK(until(parked(&low) == 0, 60000));
  uint64_t launches = raw_page_of(DEVICE)->rows[low.row].launches;
  CHECK(until(raw_page_of(DEVICE)->rows[low.row].launches > launches + 10, 60000));
}

static const struct test_case cases[] = {
    {"an allocation makes room", an_allocation_makes_room},
    {"only what may be parked", only_what_may_be_parked},
    {"nobody is parked for a limit", nobody_is_parked_for_a_limit},
    {"more than there is", more_than_there_is},
    {"a context makes room", a_context_makes_room},
    {"back after the urgent program", back_after_the_urgent_program},
};
RUN_CASES(cases, 120)
