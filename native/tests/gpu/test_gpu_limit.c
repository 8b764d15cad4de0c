/* Limits and reservations: which allocations go ahead, and which device the program sees. Compiled
 * for each API: see gpu.h. */
#include "gpu.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define CARD (16 * GIB) /* of the fake device */
#define OUT_OF_MEMORY 2

typedef GPU(void *, CUdeviceptr) address;

static int get(address *memory, size_t size) { return GPU(hipMalloc, cuMemAlloc_v2)(memory, size); }
static int give(address memory) { return GPU(hipFree, cuMemFree_v2)(memory); }

static struct seen {
  size_t available, total;
} seen(void) {
  struct seen seen;
  CHECK(GPU(hipMemGetInfo, cuMemGetInfo_v2)(&seen.available, &seen.total) == 0);
  return seen;
}

static bool sees(uint64_t available, uint64_t total) {
  struct seen now = seen();
  if (now.available != available || now.total != total) {
    fprintf(stderr, "%lu of %lu MiB free, not %lu of %lu\n", (unsigned long)(now.available / MIB),
            (unsigned long)(now.total / MIB), (unsigned long)(available / MIB),
            (unsigned long)(total / MIB));
    return false;
  }
  return true;
}

static size_t size_of_device(void) {
  size_t bytes;
  CHECK(GPU(hipDeviceTotalMem, cuDeviceTotalMem_v2)(&bytes, 0) == 0);
  return bytes;
}

/* Another process, which does as told. */
static int orders[2], answers[2];

static void obey(void) {
  uint64_t bytes;
  address memory = 0;
  gpu_start();
  while (read(orders[0], &bytes, sizeof bytes) == sizeof bytes) {
    int result = bytes != 0 ? get(&memory, bytes) : give(memory);
    CHECK(write(answers[1], &result, sizeof result) == sizeof result);
  }
}

static pid_t start_another(const char *reserve) {
  CHECK(pipe(orders) == 0 && pipe(answers) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    unsetenv("GIVEWAY_MEMORY");
    if (reserve != NULL) {
      setenv("GIVEWAY_RESERVE", reserve, 1);
    }
    obey();
    exit(0);
  }
  return pid;
}

/* Allocates in the other process; 0 bytes: frees that. */
static int other_gets(uint64_t bytes) {
  int result;
  CHECK(write(orders[1], &bytes, sizeof bytes) == sizeof bytes);
  CHECK(read(answers[0], &result, sizeof result) == sizeof result);
  return result;
}

static void beyond_the_limit_there_is_none(void) {
  setenv("GIVEWAY_MEMORY", "1073741824", 1);
  gpu_start();
  address half, more;
  CHECK(get(&half, 512 * MIB) == 0);
  uint64_t calls = gpu_fake_calls(GPU("hipMalloc", "cuMemAlloc_v2"));
  CHECK(get(&more, 513 * MIB) == OUT_OF_MEMORY);
  CHECK(gpu_fake_calls(GPU("hipMalloc", "cuMemAlloc_v2")) == calls); /* the driver had room */
  CHECK(get(&more, 512 * MIB) == 0 && give(half) == 0);
  CHECK(get(&half, 512 * MIB) == 0 && get(&more, 1) == OUT_OF_MEMORY);
}

static void a_limit_is_the_size_of_the_device(void) {
  pid_t other = start_another(NULL);
  setenv("GIVEWAY_MEMORY", "50%", 1);
  gpu_start();
  address memory;
  CHECK(size_of_device() == CARD / 2 && sees(CARD / 2, CARD / 2));
  CHECK(other_gets(2 * GIB) == 0 && sees(CARD / 2, CARD / 2));
  CHECK(get(&memory, 1 * GIB) == 0 && sees(CARD / 2 - GIB, CARD / 2));
  CHECK(other_gets(4 * GIB) == 0 && sees(CARD / 2 - GIB, CARD / 2));
  CHECK(other_gets(0) == 0 && sees(CARD / 2 - GIB, CARD / 2));
  CHECK(give(memory) == 0 && sees(CARD / 2, CARD / 2) && size_of_device() == CARD / 2);
#ifdef GENERATION
  char properties[2048];
  CHECK(hipGetDeviceProperties(properties, 0) == 0);
  CHECK(*(uint64_t *)(properties + 256) == CARD / 2);
#if GENERATION >= 6
  CHECK(hipGetDevicePropertiesR0600(properties, 0) == 0);
  CHECK(*(uint64_t *)(properties + 288) == CARD / 2);
#endif
#endif
  kill(other, SIGKILL);
}

static void without_a_limit_all_is_as_it_is(void) {
  pid_t other = start_another(NULL);
  gpu_start();
  CHECK(other_gets(2 * GIB) == 0);
  CHECK(size_of_device() == CARD && sees(CARD - 2 * GIB, CARD));
  kill(other, SIGKILL);
}

static void a_limit_is_raised(void) {
  setenv("GIVEWAY_MEMORY", "1073741824", 1);
  gpu_start();
  address memory;
  gw_page *page;
  CHECK(get(&memory, 2 * GIB) == OUT_OF_MEMORY);
  struct gw_task_info task = gpu_task_of(getpid());
  CHECK(task.memory_limit == 1 * GIB && gw_page_open(GPU_DEVICE, 0, &page) == GW_OK);
  CHECK(gw_set_memory_limit(page, task.ticket, 3 * GIB) == GW_OK && sees(3 * GIB, 3 * GIB));
  CHECK(get(&memory, 2 * GIB) == 0 && get(&memory, 2 * GIB) == OUT_OF_MEMORY);
  CHECK(gw_set_memory_limit(page, task.ticket, 0) == GW_OK && sees(CARD - 2 * GIB, CARD));
  CHECK(gw_set_memory_limit(page, task.ticket + 1, 0) == GW_E_NO_TASK);
}

static void others_get_what_a_reservation_leaves(void) {
  pid_t other = start_another("12884901888"); /* 12 GiB */
  CHECK(other_gets(1 * GIB) == 0);
  gpu_start();
  address memory, more;
  CHECK(size_of_device() == 4 * GIB && sees(4 * GIB, 4 * GIB));
  CHECK(get(&memory, 4 * GIB) == 0 && get(&more, 1) == OUT_OF_MEMORY && sees(0, 4 * GIB));
  CHECK(other_gets(11 * GIB) == 0);
  CHECK(give(memory) == 0 && other_gets(2 * GIB) == 0); /* more than it has reserved */
  CHECK(sees(2 * GIB, 4 * GIB) && get(&memory, 3 * GIB) == OUT_OF_MEMORY);
  CHECK(get(&memory, 2 * GIB) == 0);
  kill(other, SIGKILL);
  CHECK(waitpid(other, NULL, 0) == other);
  CHECK(size_of_device() == CARD && sees(CARD - 2 * GIB, CARD)); /* at once, though nobody reaps */
  CHECK(get(&memory, 13 * GIB) == 0);
}

/* One program uses memory, another one has reserved some, and this one gets the rest. */
static void a_reservation_beside_other_programs(void) {
  pid_t other = start_another(NULL);
  setenv("GIVEWAY_RESERVE", "2147483648", 1);
  gw_memory_begin(gpu_rival(), CARD, 0);
  unsetenv("GIVEWAY_RESERVE");
  gpu_start();
  address memory;
  CHECK(other_gets(12 * GIB) == 0 && sees(2 * GIB, 14 * GIB));
  CHECK(get(&memory, 3 * GIB) == OUT_OF_MEMORY && get(&memory, 2 * GIB) == 0);
  kill(other, SIGKILL);
}

static void a_limit_over_what_is_left(void) {
  pid_t other = start_another("12884901888");
  CHECK(other_gets(1 * MIB) == 0);
  setenv("GIVEWAY_MEMORY", "8589934592", 1);
  gpu_start();
  address memory;
  CHECK(sees(4 * GIB, 4 * GIB) && get(&memory, 5 * GIB) == OUT_OF_MEMORY);
  CHECK(other_gets(12 * GIB) == 0 && get(&memory, 3 * GIB) == 0);
  kill(other, SIGKILL);
}

/* ---- bad input: one line, and the program runs -------------------------------------------------
 */

static void allocate(void) {
  address memory;
  gpu_start();
  CHECK(get(&memory, 1 * MIB) == 0 && give(memory) == 0);
}

static void more_than_the_card(void) {
  setenv("GIVEWAY_MEMORY", "20000000000", 1);
  gpu_one_line(allocate, "no memory limit: 19073 MiB are more than the 16384 MiB of the device");
  unsetenv("GIVEWAY_MEMORY");
  setenv("GIVEWAY_RESERVE", "20000000000", 1);
  gpu_one_line(allocate, "nothing is reserved: 19073 MiB are more than the 16384 MiB");
}

static void fail_to_allocate(void) {
  address memory;
  gpu_start();
  CHECK(get(&memory, 1) == OUT_OF_MEMORY);
}

static void less_than_a_context(void) {
  setenv("GIVEWAY_FAKE_CONTEXT", "536870912", 1);
  setenv("GIVEWAY_MEMORY", "104857600", 1);
  gpu_one_line(fail_to_allocate,
               "every allocation will fail: a context takes 512 of the 100 MiB of --memory");
}

static void a_reservation_that_cannot_be_met(void) {
  pid_t other = start_another("12884901888");
  CHECK(other_gets(1 * MIB) == 0);
  setenv("GIVEWAY_RESERVE", "8589934592", 1);
  gpu_one_line(allocate, "8192 MiB cannot be reserved yet: other programs have 12288 of 16384 MiB");
  kill(other, SIGKILL);
}

static void nonsense_is_no_limit(void) {
  static const char *const texts[] = {"x", "-1", "nan", "1e30", "5x", "5%%", "%", "GiB"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    setenv("GIVEWAY_MEMORY", texts[i], 1);
    gpu_one_line(allocate, "GIVEWAY_MEMORY is ");
    setenv("GIVEWAY_MEMORY", i % 2 == 0 ? "" : "0", 1);
    CHECK(*gpu_said_by(allocate) == '\0');
  }
}

/* Neither the digits nor the decimals fit into a double, and their quotient is not a number. */
static void endless_digits_are_no_limit(void) {
  char text[1024];
  memset(text, '9', sizeof text);
  text[500] = '.';
  strcpy(text + 1000, "GiB");
  setenv("GIVEWAY_MEMORY", text, 1);
  gpu_one_line(allocate, "GIVEWAY_MEMORY is 999");
  strcpy(text + 1000, "%");
  setenv("GIVEWAY_MEMORY", text, 1);
  gpu_one_line(allocate, "GIVEWAY_MEMORY is 999");
}

static void amounts_have_units(void) {
  setenv("GIVEWAY_MEMORY", "1.5GiB", 1);
  gpu_start();
  CHECK(sees(1536 * MIB, 1536 * MIB) && gpu_task_of(getpid()).memory_limit == 1536 * MIB);
  setenv("GIVEWAY_RESERVE", "2gb", 1);
  gw_memory_begin(gpu_rival(), CARD, 0);
  CHECK(size_of_device() == 1536 * MIB);
  unsetenv("GIVEWAY_MEMORY");
  gw_page *page;
  CHECK(gw_page_open(GPU_DEVICE, 0, &page) == GW_OK);
  CHECK(gw_set_memory_limit(page, gpu_task_of(getpid()).ticket, 0) == GW_OK);
  CHECK(size_of_device() == CARD - 2000000000);
}

/* Whatever is wrong with the page, the program runs. */
static void no_page_no_limit(void) {
  gpu_start();
  address memory;
  CHECK(get(&memory, 1 * MIB) == 0);
  struct gw_page_layout *page = raw_page_of(GPU_DEVICE);
  memset(page->rows, 0xff, sizeof page->rows);
  CHECK(freopen("/dev/null", "w", stderr) != NULL); /* one line is said */
  for (int i = 0; i < 100; i++) {
    address more;
    CHECK(get(&more, 1 * MIB) == 0 && give(more) == 0);
  }
  CHECK(size_of_device() == CARD);
}

/* As in a program whose locale has a comma: giveway calls the program's function, if any. */
__attribute__((visibility("default"))) double strtod(const char *text, char **end) {
  return (double)strtol(text, end, 10);
}

static void a_limit_in_a_program_with_a_comma(void) {
  setenv("GIVEWAY_MEMORY", "12.5%", 1);
  setenv("GIVEWAY_CONTEXT_MIB", "0", 1);
  gpu_start();
  CHECK(sees(2 * GIB, 2 * GIB));
}

static const struct test_case cases[] = {
    {"beyond the limit there is none", beyond_the_limit_there_is_none},
    {"a limit is the size of the device", a_limit_is_the_size_of_the_device},
    {"without a limit all is as it is", without_a_limit_all_is_as_it_is},
    {"a limit is raised", a_limit_is_raised},
    {"others get what a reservation leaves", others_get_what_a_reservation_leaves},
    {"a reservation beside other programs", a_reservation_beside_other_programs},
    {"a limit over what is left", a_limit_over_what_is_left},
    {"more than the card", more_than_the_card},
    {"less than a context", less_than_a_context},
    {"a reservation that cannot be met", a_reservation_that_cannot_be_met},
    {"nonsense is no limit", nonsense_is_no_limit},
    {"endless digits are no limit", endless_digits_are_no_limit},
    {"amounts have units", amounts_have_units},
    {"a limit in a program with a comma", a_limit_in_a_program_with_a_comma},
    {"no page, no limit", no_page_no_limit},
};
RUN_CASES(cases, 240)
