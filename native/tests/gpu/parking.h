/* A program that parks itself, and other programs beside it. */
#ifndef GIVEWAY_TEST_PARKING_H
#define GIVEWAY_TEST_PARKING_H

#include "cuda_harness.h"

static gw_page *page;

__attribute__((unused)) static struct gw_task_info me(void) { return own_task(); }

__attribute__((unused)) static uint32_t reach(uint32_t parked) {
  until(me().parked == parked || me().park_error != GW_PARK_OK, 60000);
  return me().parked;
}

__attribute__((unused)) static void ask_to_park(void) {
  CHECK(gw_page_open(DEVICE, 0, &page) == GW_OK);
  CHECK(gw_park(page, me().ticket, 0) == GW_OK);
}

__attribute__((unused)) static void park(void) {
  ask_to_park();
  CHECK(reach(3) == 3);
}

__attribute__((unused)) static void unpark(void) {
  CHECK(gw_unpark(page, me().ticket) == GW_OK);
  CHECK(until(me().parked == 0, 60000));
}

/* How far that task is parked; 100: it has gone. */
__attribute__((unused)) static uint32_t parked(const struct gw_task_info *info) {
  struct gw_task_info now;
  return gw_task_at(page, info->row, info->ticket, &now) == GW_OK ? now.parked : 100;
}

/* Another process with a task on the device. */
__attribute__((unused)) static pid_t other_process(struct gw_task_info *info) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(gw_task_describe(rival(), info) == GW_OK);
    CHECK(write(ends[1], info, sizeof *info) == sizeof *info);
    pause();
  }
  CHECK(read(ends[0], info, sizeof *info) == sizeof *info);
  return pid;
}

__attribute__((unused)) static void *fake_function(const char *name) {
  void *function = dlsym(dlopen(getenv("GIVEWAY_CUDA_LIBRARY"), RTLD_LAZY), name);
  CHECK(function != NULL);
  return function;
}

__attribute__((unused)) static bool is_blocked(void) {
  return ((bool (*)(void))fake_function("fake_blocked"))();
}

/* The next call of that step does not return until go_on. */
__attribute__((unused)) static void stop_at(const char *step) {
  ((void (*)(const char *))fake_function("fake_block"))(step);
}
__attribute__((unused)) static void await_stop(void) { CHECK(until(is_blocked(), 60000)); }
__attribute__((unused)) static void go_on(void) {
  ((void (*)(void))fake_function("fake_unblock"))();
}

static CUfunction short_kernel;

__attribute__((unused)) static void start_with_work(void) {
  start_cuda();
  short_kernel = kernel("ns_1000");
  CHECK(launch(short_kernel, NULL) == 0 && cuCtxSynchronize() == 0);
}

/* A process that carries out nothing, beside a task of this one. */
static struct gw_row *moving;
__attribute__((unused)) static pid_t start_moving(uint32_t parked) {
  gw_task *other;
  struct gw_task_options options = {.name = "other", .priority = -5};
  page = open_page_of(DEVICE);
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(gw_join(open_page_of(DEVICE), &options, &other) == GW_OK);
    pause();
  }
  struct gw_row *rows = raw_page_of(DEVICE)->rows;
  CHECK(until(rows[1].state != GW_FREE, 60000));
  moving = &rows[1];
  atomic_fetch_or(&moving->flags, GW_ROW_CAN_PARK | GW_ROW_PARKABLE);
  atomic_store(&moving->parked, parked);
  return pid;
}

#endif
