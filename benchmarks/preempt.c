/* One of two programs that share a GPU, and record by the device's own clock when the device worked
 * for each of them. Works without a pause until its standard input ends, or has one request about
 * every 10 ms:
 *
 *   preempt low KERNEL_US ROUNDS [streams=N] [grid=1] [queue=N] [share=FILE] [work=KIND]
 *   preempt urgent SECONDS ROUNDS [waits=N] [share=FILE]
 *   preempt calibrate KERNEL_US 0 [grid=1]         prints the ROUNDS of such a kernel
 *
 *   streams  kernels on so many streams in turn; one stream is the NULL stream
 *   grid     a block for each multiprocessor, in place of one block
 *   queue    launches between two waits
 *   share    `low` shares memory through this file, and each urgent request writes to it
 *   work     kernels; varying: the same launch takes a tenth, and each eighth time all of KERNEL_US
 *            copies: to the device
 *            recaptured, updated: graphs of ten kernels, which take KERNEL_US together
 *   waits    kernels in a request, with a wait after each
 *
 * Writes 64-bit words to standard output, all in nanoseconds of the device's clock. `low`: began,
 * ended of each kernel. `urgent`: first launch called, returned; first kernel began, last one
 * ended; last wait over. The first request is the program's first use of the device. The host's
 * times are converted, to about 1 us. Exit code 77: the driver cannot do this. */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../native/programs/timed_kernel.h"

#define PERIOD_NS UINT64_C(10000000)
#define BETWEEN_WAITS_NS UINT64_C(100000) /* as a program needs between two tokens */
#define BATCH_US 20000
#define MOST (1 << 20)
#define STREAMS 8
#define NODES 10
#define MULTIPROCESSORS 16 /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
#define LAZY_PEER_ACCESS 1
#define PORTABLE_AND_MAPPED 3
#define NOT_SUPPORTED 801
#define CANNOT 77

static const char kernels[] =
    ".version 6.0\n.target sm_50\n.address_size 64\n"
    /* Blocks begin and end at different times: the first and the last one count. */
    ".visible .entry timed(.param .u64 n, .param .u64 first, .param .u64 last) {\n"
    ".reg .u64 %rd<7>; .reg .u32 %r<2>; .reg .pred %p; .reg .pred %q;\n"
    "mov.u64 %rd3, %globaltimer;\n"
    "ld.param.u64 %rd1, [n]; ld.param.u64 %rd4, [first]; ld.param.u64 %rd5, [last];\n" LOOP
    "mov.u64 %rd6, %globaltimer;\n"
    "mov.u32 %r1, %tid.x; setp.ne.u32 %q, %r1, 0; @%q bra E;\n"
    "red.global.min.u64 [%rd4], %rd3; red.global.max.u64 [%rd5], %rd6;\n"
    "E: ret; }\n"
    /* Writes the device's clock for the host, repeatedly. */
    ".visible .entry tick(.param .u64 n, .param .u64 to) {\n"
    ".reg .u64 %rd<6>; .reg .pred %p;\n"
    "ld.param.u64 %rd1, [n]; ld.param.u64 %rd4, [to]; mov.u64 %rd2, 0;\n"
    "L: mov.u64 %rd3, %globaltimer; st.volatile.global.u64 [%rd4], %rd3; membar.sys;\n"
    "add.u64 %rd2, %rd2, 1; setp.lt.u64 %p, %rd2, %rd1; @%p bra L;\n"
    "ret; }\n";

static CUfunction tick;
static CUdeviceptr began, ended; /* on the device, 64 bits for each kernel */
static volatile uint64_t *clock_word;
static uint64_t first_used; /* the device, by the host's clock */
static uint64_t used;       /* kernels so far; the last place is for those that do not count */
static unsigned blocks = 1, threads = 32;

static double measure; /* the length of a kernel in us, or of the requests in seconds */
static unsigned stream_count = 1, queue, waits = 1;
static const char *work = "kernels", *share;
static CUstream streams[STREAMS];

static uint64_t host_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int result, const char *what) {
  if (result == NOT_SUPPORTED) {
    exit(CANNOT);
  } else if (result != 0) {
    fprintf(stderr, "%s: %d\n", what, result);
    exit(1);
  }
}
#define MUST(call) must(call, #call)

static void launch_at(uint64_t place, uint64_t rounds) {
  CUdeviceptr first = began + 8 * place, last = ended + 8 * place;
  void *parameters[] = {&rounds, &first, &last};
  MUST(cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, 0, stream, parameters, NULL));
}

/* To calibrate. */
static void launch(void) { launch_at(MOST - 1, iterations); }

static uint64_t *read_words(CUdeviceptr from) {
  uint64_t *words = malloc(MOST * sizeof *words);
  MUST(cuMemcpyDtoH_v2(words, from, used * sizeof *words));
  return words;
}

/* ---- work without a pause ------------------------------------------------------------------- */

static CUgraphExec exec;
static void *source; /* on the host */
static CUdeviceptr target;
static size_t bytes = 64 << 20;
static CUevent base, copied[1024];
static uint64_t base_ns, *copy_ended;

static void submit_graph(uint64_t i) {
  CUgraph graph;
  CUgraphExec old = exec;
  int info[64]; /* CUgraphExecUpdateResultInfo, and more */
  uint64_t rounds = iterations / NODES / (i % 8 != 0 ? 10 : 1) + 1;
  MUST(cuStreamBeginCapture_v2(stream, 0));
  for (int node = 0; node < NODES; node++) {
    launch_at(used++, rounds);
  }
  MUST(cuStreamEndCapture(stream, &graph));
  if (exec != NULL && strcmp(work, "updated") == 0) {
    MUST(cuGraphExecUpdate_v2(exec, graph, info));
  } else {
    MUST(cuGraphInstantiateWithFlags(&exec, graph, 0));
    if (old != NULL) {
      MUST(cuGraphExecDestroy(old));
    }
  }
  MUST(cuGraphLaunch(exec, stream));
  MUST(cuGraphDestroy(graph));
}

static void submit(uint64_t i) {
  stream = streams[i % stream_count];
  if (strcmp(work, "copies") == 0) {
    MUST(cuMemcpyHtoDAsync_v2(target, source, bytes, stream));
    MUST(cuEventRecord(copied[i], stream));
    used++;
  } else if (strcmp(work, "varying") == 0) {
    launch_at(used++, i % 8 == 0 ? iterations : iterations / 10 + 1);
  } else if (strcmp(work, "kernels") == 0) {
    launch_at(used++, iterations);
  } else {
    submit_graph(i);
  }
}

static float elapsed_ms(CUevent from, CUevent to) {
  float ms = 0;
  MUST(cuEventElapsedTime(&ms, from, to));
  return ms;
}

/* Copies leave no times of their own. Events do, by the distance from one whose time is known. */
static void prepare_copies(void) {
  MUST(cuMemHostAlloc(&source, bytes, PORTABLE_AND_MAPPED));
  MUST(cuMemAlloc_v2(&target, bytes));
  copy_ended = calloc(MOST, sizeof *copy_ended);
  for (unsigned i = 0; i < queue; i++) {
    MUST(cuEventCreate(&copied[i], 0));
  }
  MUST(cuEventCreate(&base, 0));
  for (int i = 0; i < 3; i++) { /* the first ones warm up */
    MUST(cuEventRecord(base, stream));
    MUST(cuMemcpyHtoDAsync_v2(target, source, bytes, stream));
    MUST(cuEventRecord(copied[0], stream));
    MUST(cuStreamSynchronize(stream));
  }
  double ms = (double)elapsed_ms(base, copied[0]);
  double wanted = ms > 0 ? (double)bytes * measure / (ms * 1e3) : 0;
  bytes = wanted > 4096 && wanted < (double)bytes ? (size_t)wanted : bytes;
  launch_at(MOST - 2, 1);
  MUST(cuEventRecord(base, stream));
  MUST(cuStreamSynchronize(stream));
  MUST(cuMemcpyDtoH_v2(&base_ns, ended + 8 * (MOST - 2), 8));
}

static void note_copies(void) {
  for (unsigned i = 0; i < queue; i++) {
    copy_ended[used - queue + i] = base_ns + (uint64_t)((double)elapsed_ms(base, copied[i]) * 1e6);
  }
}

static void write_spans(void) {
  bool copies = strcmp(work, "copies") == 0;
  const uint64_t *first = copies ? NULL : read_words(began);
  const uint64_t *last = copies ? copy_ended : read_words(ended);
  for (uint64_t i = 0, before = 0; i < used; before = last[i++]) {
    uint64_t at_most = last[i] - (uint64_t)(measure * 1e3); /* if it waited, it began later */
    uint64_t words[] = {copies ? (before > at_most ? before : at_most) : first[i], last[i]};
    fwrite(words, sizeof words, 1, stdout);
  }
}

static void share_memory(void) {
  struct ipc_handle handle;
  CUdeviceptr shared;
  MUST(cuMemAlloc_v2(&shared, 1 << 21));
  MUST(cuIpcGetMemHandle(&handle, shared));
  int fd = open(share, O_WRONLY | O_CREAT, 0600);
  if (fd < 0 || write(fd, &handle, sizeof handle) != (ssize_t)sizeof handle || close(fd) != 0) {
    must(1, share);
  }
}

static bool asked_to_end(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  return poll(&input, 1, 0) != 0;
}

static void low(void) {
  bool graphs = strcmp(work, "recaptured") == 0 || strcmp(work, "updated") == 0;
  for (unsigned i = 0; stream_count > 1 || graphs ? i < stream_count : 0; i++) {
    MUST(cuStreamCreate(&streams[i], 1));
  }
  if (strcmp(work, "copies") == 0) {
    prepare_copies();
  }
  if (share != NULL) {
    share_memory();
  }
  unsigned in_batch = queue * (graphs ? NODES : 1);
  for (bool said = false; !asked_to_end() && used + in_batch < MOST - 2; said = true) {
    for (unsigned i = 0; i < queue; i++) {
      submit(i);
    }
    if (!said) {
      fprintf(stderr, "ready\n");
    }
    MUST(cuCtxSynchronize());
    if (strcmp(work, "copies") == 0) {
      note_copies();
    }
  }
  write_spans();
}

/* ---- requests ------------------------------------------------------------------------------- */

/* How far the device's clock is ahead of the host's, in ns. A time that the host reads may be old
 * and never new, so the greatest difference is the best estimate. A simulated device does not
 * write, and has the host's clock. */
static int64_t ahead(void) {
  uint64_t ticks = 1000;
  int64_t most = INT64_MIN;
  *clock_word = 0;
  void *parameters[] = {&ticks, &clock_word};
  MUST(cuLaunchKernel(tick, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL));
  while (cuStreamQuery(stream) != 0) {
    for (int i = 0; i < 100; i++) {
      uint64_t shown = *clock_word;
      int64_t difference = (int64_t)(shown - host_now());
      most = shown != 0 && difference > most ? difference : most;
    }
  }
  return *clock_word != 0 ? most : 0;
}

struct request {
  uint64_t called, returned, seen, kernel;
};

static CUdeviceptr open_shared(void) {
  struct ipc_handle handle;
  CUdeviceptr shared;
  int fd = open(share, O_RDONLY);
  if (fd < 0 || read(fd, &handle, sizeof handle) != (ssize_t)sizeof handle) {
    must(1, share);
  }
  MUST(cuIpcOpenMemHandle_v2(&shared, handle, LAZY_PEER_ACCESS));
  return shared;
}

static struct request request(CUdeviceptr shared, uint64_t rounds) {
  struct request made = {.kernel = used, .called = host_now()};
  for (unsigned i = 0; i < waits; i++) {
    if (i > 0) {
      sleep_until(host_now() + BETWEEN_WAITS_NS);
    } else if (shared != 0) {
      MUST(cuMemsetD8Async(shared, 1, 4096, stream));
    }
    launch_at(used++, rounds);
    made.returned = i == 0 ? host_now() : made.returned;
    MUST(cuStreamSynchronize(stream));
  }
  made.seen = host_now();
  return made;
}

static void urgent(void) {
  static struct request made[MOST];
  CUdeviceptr shared = share != NULL ? open_shared() : 0;
  uint64_t n = 0;
  made[n] = request(shared, iterations);
  made[n++].called = first_used;
  int64_t before = ahead();
  uint64_t start = host_now(), due = start, end = start + (uint64_t)(measure * 1e9);
  while (due < end && used + waits < MOST - 2) {
    /* At random, so that requests are not in step with the device's time slices. */
    uint64_t now = host_now();
    due = (due > now ? due : now) + PERIOD_NS - 3000000 + (uint64_t)(drand48() * 6e6);
    sleep_until(due);
    made[n++] = request(shared, iterations);
  }
  int64_t after = ahead();
  double drift = (double)(after - before) / (double)(host_now() - start);
  uint64_t *first = read_words(began), *last = read_words(ended);
  for (uint64_t i = 0; i < n; i++) {
    const struct request *r = &made[i];
    int64_t since = (int64_t)(r->called - start);
    uint64_t by = (uint64_t)(before + (int64_t)((double)since * drift));
    uint64_t words[] = {r->called + by, r->returned + by, first[r->kernel],
                        last[r->kernel + waits - 1], r->seen + by};
    fwrite(words, sizeof words, 1, stdout);
  }
}

/* ---- both ----------------------------------------------------------------------------------- */

static void read_option(const char *option) {
  const char *value = strchr(option, '=');
  size_t n = value != NULL ? (size_t)(value++ - option) : 0;
  if (n == 7 && strncmp(option, "streams", n) == 0) {
    stream_count = (unsigned)atoi(value) % (STREAMS + 1);
  } else if (n == 4 && strncmp(option, "grid", n) == 0) {
    blocks = 0; /* as many as there are multiprocessors */
  } else if (n == 5 && strncmp(option, "queue", n) == 0) {
    queue = (unsigned)atoi(value);
  } else if (n == 5 && strncmp(option, "waits", n) == 0) {
    waits = (unsigned)atoi(value);
  } else if (n == 5 && strncmp(option, "share", n) == 0) {
    share = value;
  } else if (n == 4 && strncmp(option, "work", n) == 0) {
    work = value;
  } else {
    fprintf(stderr, "preempt: %s?\n", option);
    exit(2);
  }
}

static void start_device(void) {
  CUcontext context;
  MUST(cuInit(0));
  MUST(cuDevicePrimaryCtxRetain(&context, 0));
  MUST(cuCtxSetCurrent(context));
  MUST(load(&kernel, kernels, "timed"));
  MUST(load(&tick, kernels, "tick"));
  MUST(cuMemHostAlloc((void **)&clock_word, sizeof *clock_word, PORTABLE_AND_MAPPED));
  MUST(cuMemAlloc_v2(&began, MOST * 8));
  MUST(cuMemAlloc_v2(&ended, MOST * 8));
  first_used = host_now();
  MUST(cuMemsetD8_v2(began, 0xff, MOST * 8));
  MUST(cuMemsetD8_v2(ended, 0, MOST * 8));
  if (blocks == 0) {
    int count = 1;
    MUST(cuDeviceGetAttribute(&count, MULTIPROCESSORS, 0));
    blocks = (unsigned)count;
    threads = 1024;
  }
}

int main(int count, char **arguments) {
  measure = count > 3 ? atof(arguments[2]) : 0;
  if (measure <= 0) {
    fprintf(stderr, "preempt low|urgent|calibrate KERNEL_US|SECONDS ROUNDS, then options\n");
    return 2;
  }
  queue = (unsigned)(BATCH_US / measure);
  queue = queue < 8 ? 8 : queue > 100 ? 100 : queue;
  for (int i = 4; i < count; i++) {
    read_option(arguments[i]);
  }
  start_device();
  if (strcmp(arguments[1], "calibrate") == 0) {
    must(calibrate((unsigned)measure), "calibrate");
    printf("%lu\n", iterations);
    return 0;
  }
  iterations = strtoul(arguments[3], NULL, 10);
  if (strcmp(arguments[1], "urgent") == 0) {
    urgent();
  } else {
    low();
  }
  return 0;
}
