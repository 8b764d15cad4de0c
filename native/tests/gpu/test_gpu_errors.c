/* A driver that fails or lacks functions, and a gate page that cannot be used. The
 * program gets the driver's own results. Compiled for each API: see gpu.h. */
#include "gpu.h"
#include "gpu_calls.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* ---- every call fails --------------------------------------------------------------------------
 */

static int in_a_child(void (*program)(void)) {
  pid_t pid = fork();
  if (pid == 0) {
    program();
    exit(0);
  }
  int status = -1;
  CHECK(waitpid(pid, &status, 0) == pid);
  return status;
}

static size_t called;
static int code;
static bool outranked, capturing;

static void fail(void) {
  const char *name = calls[called];
  char text[256];
  if (strcmp(name, "cuDevicePrimaryCtxRetain") == 0) {
    return; /* gpu_start needs it: see cuda_room */
  }
  snprintf(text, sizeof text, "%s=%d", name, code);
  setenv("GIVEWAY_FAKE_ERRORS", text, 1);
  gpu_start();
  gpu_kernel kernel = gpu_get_kernel("ns_1000");
  gpu_stream stream = NULL;
  GPU(hipStreamCreateWithFlags, cuStreamCreate)(&stream, 1);
  gw_task *urgent = outranked ? gpu_rival() : NULL;
  for (int i = 0; i < 3; i++) {
    gpu_launch(kernel, NULL); /* the window works with streams and events as well */
    gpu_launch(kernel, stream);
  }
  if (capturing) {
    GPU(hipStreamBeginCapture, cuStreamBeginCapture_v2)(stream, 0);
  }
  void *function = dlsym(RTLD_DEFAULT, name);
  Dl_info info;
  CHECK(function != NULL && dladdr(function, &info) != 0);
  if (called < HOOKS || !gpu_interposed()) {
    CHECK(strstr(info.dli_fname, gpu_interposed() ? "-hooks.so" : GPU_SHIM) != NULL);
  }
  errno = 77;
  for (int again = 0; again < 2; again++) {
    int result = call_with_zeros(function);
    if (result != code || errno != 77) {
      fprintf(stderr, "%s gave %d, the driver %d, errno %d\n", name, result, code, errno);
      _exit(1);
    }
  }
#ifdef GENERATION
  CHECK(hipGetLastError() == code);
#endif
  if (urgent != NULL) {
    gw_leave(urgent);
  }
}

static void fail_each(void) {
  int failed = 0;
  for (size_t i = 0; i < CALLS; i++) {
    called = i;
    code = 1000 + (int)i;
    failed += in_a_child(fail) != 0;
  }
  CHECK(CALLS > 100 && failed == 0);
}

static void every_call_fails(void) { fail_each(); }

static void every_call_fails_while_outranked(void) {
  outranked = true;
  fail_each();
}

static void every_call_fails_while_capturing(void) {
  outranked = capturing = true;
  fail_each();
}

/* ---- no page: the program runs ungated, and is told so once ------------------------------------
 */

static void launch_on_two_threads(void *(*run)(void *)) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, NULL) == 0) {
    pthread_join(thread, NULL);
  }
  run(NULL);
}

static gpu_kernel shared;

static void *launch_some(void *unused) {
  (void)unused;
  CHECK(gpu_retain() == 0);
  for (int i = 0; i < 20; i++) {
    CHECK(gpu_launch(shared, NULL) == 0);
  }
  CHECK(gpu_sync() == 0);
  return NULL;
}

static void start_and_launch(void) {
  gpu_start();
  shared = gpu_get_kernel("ns_1000");
  launch_on_two_threads(launch_some);
}

static void the_folder_cannot_be_made(void) {
  setenv("GIVEWAY_DIR", "/proc/giveway", 1);
  gpu_one_line(start_and_launch, "running ungated");
}

static void the_folder_is_somebody_elses(void) {
  setenv("GIVEWAY_DIR", "/dev/null", 1);
  gpu_one_line(start_and_launch, "running ungated");
}

/* It has been told that it runs ungated. */
static void launch_before_and_after_there_is_a_folder(void) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", getenv("GIVEWAY_DIR"));
  setenv("GIVEWAY_DIR", "/dev/null", 1);
  start_and_launch();
  setenv("GIVEWAY_DIR", folder, 1);
  launch_some(NULL);
  CHECK(gpu_task_of(getpid()).row == UINT32_MAX);
}

static void the_folder_comes_later(void) {
  gpu_one_line(launch_before_and_after_there_is_a_folder, "running ungated");
}

static void fill_page(void) {
  gw_page *page;
  gw_task *task;
  struct gw_task_options options = {.name = "filler"};
  CHECK(gw_page_open(GPU_DEVICE, 1, &page) == GW_OK);
  while (gw_join(page, &options, &task) == GW_OK) {
  }
}

/* It was refused, and says nothing more. */
static void launch_until_there_is_room(void) {
  int ends[2];
  char byte;
  CHECK(pipe(ends) == 0);
  pid_t others = fork();
  if (others == 0) {
    fill_page();
    CHECK(write(ends[1], "", 1) == 1);
    pause();
  }
  CHECK(read(ends[0], &byte, 1) == 1);
  start_and_launch();
  CHECK(gpu_task_of(getpid()).row == UINT32_MAX);
  CHECK(kill(others, SIGKILL) == 0 && waitpid(others, NULL, 0) == others);
  CHECK(until((launch_some(NULL), gpu_launches() > 0), 60000));
}

static void the_page_was_full(void) { gpu_one_line(launch_until_there_is_room, "full"); }

/* From now on these system calls fail, as where /dev/shm is read-only or a sandbox forbids it. */
static void forbid(int error, const int *numbers, unsigned count) {
  struct sock_filter program[32] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  unsigned n = 1;
  for (unsigned i = 0; i < count; i++) {
    program[n++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i], 0, 1);
    program[n++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error);
  }
  program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {(unsigned short)n, program};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

/* The fake is ready by then: it has a file of its own, and for this kernel it needs no thread. */
static void launch_under(int error, const int *numbers, unsigned count) {
  gpu_start();
  shared = gpu_get_kernel("ns_0");
  CHECK(gpu_stream_sync(NULL) == 0);
  forbid(error, numbers, count);
  launch_on_two_threads(launch_some);
}

#define FORBID(error, ...)                                                                         \
  do {                                                                                             \
    static const int numbers[] = {__VA_ARGS__};                                                    \
    launch_under(error, numbers, sizeof numbers / sizeof *numbers);                                \
  } while (0)

/* Newer machines do not have these calls. */
#ifdef SYS_open
#define OLDER(call) call
#else
#define OLDER(call) -1
#endif

static void no_files(void) {
  FORBID(EROFS, SYS_mkdirat, SYS_openat, OLDER(SYS_mkdir), OLDER(SYS_open));
}
static void no_mappings(void) {
  FORBID(EPERM, SYS_fallocate, SYS_ftruncate, SYS_linkat, OLDER(SYS_link));
}
static void no_keeper(void) { FORBID(ENOSYS, SYS_set_robust_list); }
static void no_threads(void) { FORBID(EAGAIN, SYS_clone, SYS_clone3); }

static void the_folder_is_read_only(void) { gpu_one_line(no_files, "running ungated"); }
static void the_page_cannot_be_made(void) { gpu_one_line(no_mappings, "running ungated"); }
static void the_kernel_does_not_report_deaths(void) { gpu_one_line(no_keeper, "running ungated"); }
static void the_watcher_cannot_start(void) { gpu_one_line(no_threads, "running ungated"); }

static const struct test_case cases[] = {
    {"every call fails", every_call_fails},
    {"every call fails while outranked", every_call_fails_while_outranked},
    {"every call fails while capturing", every_call_fails_while_capturing},
    {"the folder cannot be made", the_folder_cannot_be_made},
    {"the folder is somebody else's", the_folder_is_somebody_elses},
    {"the folder comes later", the_folder_comes_later},
    {"the page was full", the_page_was_full},
    {"the folder is read-only", the_folder_is_read_only},
    {"the page cannot be made", the_page_cannot_be_made},
    {"the kernel does not report deaths", the_kernel_does_not_report_deaths},
    {"the watcher cannot start", the_watcher_cannot_start},
};
RUN_CASES(cases, 240)
