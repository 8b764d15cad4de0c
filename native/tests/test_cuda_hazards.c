/* What machines and drivers do to a program under the CUDA shim. */
#include "cuda_harness.h"

/* ---- several devices ---------------------------------------------------------------------------
 */

static bool page_exists(const char *device) {
  gw_page *page;
  return gw_page_open(device, 0, &page) == GW_OK;
}

static uint64_t launches_on(const char *device) {
  gw_page *page;
  struct gw_task_info infos[8];
  uint64_t launches = 0;
  CHECK(gw_page_open(device, 0, &page) == GW_OK);
  for (int i = gw_tasks(page, infos, 8); i-- > 0;) {
    launches += infos[i].launches;
  }
  return launches;
}

#define FIRST DEVICE
#define SECOND "GPU-fafafafa-fafa-fafa-fafa-fafafafafa01"

static void start_with(const char *visible, CUcontext contexts[2], int count) {
  setenv("GIVEWAY_FAKE_DEVICES", "2", 1);
  setenv("CUDA_VISIBLE_DEVICES", visible, 1);
  start_cuda();
  int seen = 0;
  CHECK(cuDeviceGetCount(&seen) == 0 && seen == count);
  for (int i = 0; i < count; i++) {
    CHECK(cuDevicePrimaryCtxRetain(&contexts[i], i) == 0);
  }
}

static void a_page_for_each_uuid(void) {
  CUcontext contexts[2];
  start_with("1,0", contexts, 2);
  CUfunction f = kernel("ns_0");
  for (int i = 0; i < 6; i++) {
    CHECK(cuCtxSetCurrent(contexts[i % 3 == 0]) == 0 && launch(f, NULL) == 0);
  }
  CHECK(launches_on(SECOND) == 4 && launches_on(FIRST) == 2);
}

static void the_only_visible_one_has_its_own_page(void) {
  CUcontext contexts[2];
  start_with("1", contexts, 1);
  CHECK(launch(kernel("ns_0"), NULL) == 0);
  CHECK(launches_on(SECOND) == 1 && !page_exists(FIRST));
}

static void a_rival_on_one_device_holds_there_only(void) {
  CUcontext contexts[2];
  start_with("1,0", contexts, 2);
  struct waiter w = {.function = kernel("ns_0"), .context = contexts[1]};
  for (int i = 0; i < 2; i++) {
    CHECK(cuCtxSetCurrent(contexts[i]) == 0 && launch(w.function, NULL) == 0);
  }
  gw_task *urgent = rival(); /* on the first, which is device 1 here */
  gw_begin(urgent);
  pthread_t thread;
  pthread_create(&thread, NULL, launch_in_thread, &w);
  sleep_ms(30);
  CHECK(atomic_load(&w.state) == 1);
  CHECK(cuCtxSetCurrent(contexts[0]) == 0 && launch(w.function, NULL) == 0);
  gw_end(urgent);
  gw_idle(urgent);
  pthread_join(thread, NULL);
}

/* ---- the real library --------------------------------------------------------------------------
 */

/* Runs in a child and gives what it printed on stderr; it must end with 0. */
static const char *said_by(void (*program)(void)) {
  static char text[8192];
  int ends[2], status;
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    program();
    _exit(0);
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t got; (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;) {
    n += (size_t)got;
  }
  text[n] = '\0';
  close(ends[0]);
  CHECK(waitpid(pid, &status, 0) == pid);
  if (status != 0) {
    fprintf(stderr, "status %x: %s", (unsigned)status, text);
    CHECK(!"the program went on");
  }
  return text;
}

static void find_no_device(void) {
  int count = -1;
  CHECK(cuInit(0) == 100 && cuDeviceGetCount(&count) == 100 && count == -1);
  CHECK(launch(NULL, NULL) == 100 && cuCtxSynchronize() == 100 && cuInit(0) == 100);
  void *f = NULL;
  CHECK(cuGetProcAddress_v2("cuLaunchKernel", &f, 12000, 0, NULL) == 100 && f == NULL);
}

static void one_line_that_says(const char *why, const char *library) {
  if (strstr(getenv("LD_PRELOAD"), "-hooks") != NULL) {
    return; /* beside the driver: the program has it, or does not start */
  }
  setenv("GIVEWAY_CUDA_LIBRARY", library, 1);
  const char *text = said_by(find_no_device);
  const char *end = strchr(text, '\n');
  if (strncmp(text, "giveway: ", 9) != 0 || strstr(text, why) == NULL || end == NULL ||
      end[1] != '\0') {
    fprintf(stderr, "expected one line with '%s', got: %s\n", why, text);
    CHECK(!"one line that says why");
  }
}

static void the_real_library_is_missing(void) {
  one_line_that_says("/no/such/libcuda.so.1, which is not there", "/no/such/libcuda.so.1");
}

static void the_real_library_is_of_another_machine(void) {
  char path[4096];
  unsigned char elf[64] = {0x7f, 'E', 'L', 'F', 1 /* 32 bits */, 1, 1};
  elf[16] = 3;
  elf[18] = 3; /* i386 */
  elf[20] = 1;
  snprintf(path, sizeof path, "%s/libcuda.so.1", getenv("GIVEWAY_DIR"));
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  CHECK(fd >= 0 && write(fd, elf, sizeof elf) == sizeof elf && close(fd) == 0);
  one_line_that_says("ELFCLASS32", path);
}

static void the_real_library_is_the_shim(void) {
  Dl_info info;
  CHECK(dladdr((void *)cuInit, &info) != 0 || dladdr(dlsym(RTLD_DEFAULT, "cuInit"), &info) != 0);
  one_line_that_says("giveway's own", info.dli_fname);
}

static void a_program_that_closes_the_library(void) {
  for (int i = 0; i < 3; i++) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    CHECK(library != NULL);
    int (*init)(unsigned) = (int (*)(unsigned))dlsym(library, "cuInit");
    CHECK(init != NULL && init(0) == 0);
    for (int j = 0; j < 3; j++) {
      dlclose(library); /* more often than it was opened */
    }
  }
  start_cuda();
  CHECK(launch(kernel("ns_0"), NULL) == 0 && cuCtxSynchronize() == 0);
}

/* ---- a driver whose calls fail: the program sees the driver's own code -------------------------
 */

static CUstream stream;
static CUevent event;
static CUfunction function;
static char memory[16], other[16];
#define ADDRESS ((CUdeviceptr)memory)

static int call_launch(void) { return launch(function, stream); }
static int call_launch_ptsz(void) {
  return cuLaunchKernel_ptsz(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL);
}
static int call_stream_sync(void) { return cuStreamSynchronize(stream); }
static int call_stream_query(void) { return cuStreamQuery(stream); }
static int call_stream_destroy(void) { return cuStreamDestroy_v2(stream); }
static int call_context_sync(void) { return cuCtxSynchronize(); }
static int call_release(void) { return cuDevicePrimaryCtxRelease_v2(0); }
static int call_event_create(void) { return cuEventCreate(&(CUevent){NULL}, 0); }
static int call_event_record(void) { return cuEventRecord(event, stream); }
static int call_event_query(void) { return cuEventQuery(event); }
static int call_event_sync(void) { return cuEventSynchronize(event); }
static int call_alloc(void) { return cuMemAlloc_v2(&(CUdeviceptr){0}, 64); }
static int call_alloc_async(void) { return cuMemAllocAsync(&(CUdeviceptr){0}, 64, stream); }
static int call_free(void) { return cuMemFree_v2(ADDRESS); }
static int call_free_async(void) { return cuMemFreeAsync(ADDRESS, stream); }
static int call_host_alloc(void) { return cuMemHostAlloc(&(void *){NULL}, 64, 0); }
static int call_host_free(void) { return cuMemFreeHost(memory); }
static int call_memset(void) { return cuMemsetD8Async(ADDRESS, 0, 16, stream); }
static int call_copy_async(void) { return cuMemcpyHtoDAsync_v2(ADDRESS, other, 16, stream); }
static int call_copy(void) { return cuMemcpyDtoH_v2(other, ADDRESS, 16); }
static int call_capture(void) { return cuStreamBeginCapture_v2(stream, 0); }
static int call_capture_end(void) { return cuStreamEndCapture(stream, &(CUgraph){NULL}); }
static int call_graph(void) { return cuGraphLaunch(NULL, stream); }
static int call_proc(void) {
  return cuGetProcAddress_v2("cuInit", &(void *){NULL}, 12000, 0, NULL);
}

static const struct {
  const char *name;
  int (*call)(void);
} calls[] = {
    {"cuLaunchKernel", call_launch},
    {"cuLaunchKernel_ptsz", call_launch_ptsz},
    {"cuStreamSynchronize", call_stream_sync},
    {"cuStreamQuery", call_stream_query},
    {"cuStreamDestroy_v2", call_stream_destroy},
    {"cuCtxSynchronize", call_context_sync},
    {"cuDevicePrimaryCtxRelease_v2", call_release},
    {"cuEventCreate", call_event_create},
    {"cuEventRecord", call_event_record},
    {"cuEventQuery", call_event_query},
    {"cuEventSynchronize", call_event_sync},
    {"cuMemAlloc_v2", call_alloc},
    {"cuMemAllocAsync", call_alloc_async},
    {"cuMemFree_v2", call_free},
    {"cuMemFreeAsync", call_free_async},
    {"cuMemHostAlloc", call_host_alloc},
    {"cuMemFreeHost", call_host_free},
    {"cuMemsetD8Async", call_memset},
    {"cuMemcpyHtoDAsync_v2", call_copy_async},
    {"cuMemcpyDtoH_v2", call_copy},
    {"cuStreamBeginCapture_v2", call_capture},
    {"cuStreamEndCapture", call_capture_end},
    {"cuGraphLaunch", call_graph},
    {"cuGetProcAddress_v2", call_proc},
};

static void fail_each(bool outranked) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      char text[128];
      int code = 700 + (int)i, result = 0;
      snprintf(text, sizeof text, "%s=%d", calls[i].name, code);
      setenv("GIVEWAY_FAKE_ERRORS", text, 1);
      start_cuda();
      function = kernel("ns_1000");
      CHECK(cuStreamCreate(&stream, 1) == 0);
      bool event_fails = cuEventCreate(&event, 0) != 0;
      CHECK(event_fails == (calls[i].call == call_event_create));
      if (outranked) {
        rival();
      }
      for (int again = 0; again < 3; again++) {
        launch(function, NULL); /* the window works with streams and events as well */
      }
      result = calls[i].call();
      if (result != code) {
        fprintf(stderr, "%s gave %d, the driver %d\n", calls[i].name, result, code);
      }
      _exit(result != code);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  }
}

static void every_call_fails(void) { fail_each(false); }
static void every_call_fails_while_outranked(void) { fail_each(true); }

static const struct test_case cases[] = {
    {"a page for each UUID", a_page_for_each_uuid},
    {"the only visible one has its own page", the_only_visible_one_has_its_own_page},
    {"a rival on one device holds there only", a_rival_on_one_device_holds_there_only},
    {"the real library is missing", the_real_library_is_missing},
    {"the real library is of another machine", the_real_library_is_of_another_machine},
    {"the real library is the shim", the_real_library_is_the_shim},
    {"a program that closes the library", a_program_that_closes_the_library},
    {"every call fails", every_call_fails},
    {"every call fails while outranked", every_call_fails_while_outranked},
};
RUN_CASES(cases, 20)
