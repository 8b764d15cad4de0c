/* The books of device memory while threads and programs allocate at once. Compiled for each API:
 * see gpu.h. What the threads do is counted; no case bets on how fast they are. */
#include "gpu.h"

#define KIB (UINT64_C(1) << 10)
#define GIB (UINT64_C(1) << 30)
#define CARD (16 * GIB) /* of the fake device */
#define OUT_OF_MEMORY 2
#define THREADS 4

typedef GPU(void *, CUdeviceptr) address;

static int get(address *memory, size_t size) { return GPU(hipMalloc, cuMemAlloc_v2)(memory, size); }
static int give(address memory) { return GPU(hipFree, cuMemFree_v2)(memory); }

static uint64_t in_use(void) { return gpu_task_of(getpid()).memory; }

static void in_threads(void *(*run)(void *)) {
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
  }
}

/* ---- at the limit ------------------------------------------------------------------------------
 */

#define LIMIT (64 * KIB)
#define TURNS 4000
#define PLACES 32

/* What the driver has given, and where: a thread puts its memory in a place, and frees what it
 * finds there, which another thread may have allocated. A block has its size at its beginning,
 * because the fake device has the process's own addresses. */
static _Atomic uint64_t held, refused;
static _Atomic(address) places[PLACES];

static void free_counted(address memory) {
  if (memory != 0) {
    atomic_fetch_sub(&held, *(uint64_t *)memory);
    CHECK(give(memory) == 0);
  }
}

static void *swap_at_the_limit(void *thread) {
  uint64_t random = (uintptr_t)thread + 1;
  CHECK(gpu_retain() == 0);
  for (int i = 0; i < TURNS; i++) {
    random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint64_t size = (1 + (random >> 33) % 8) * KIB;
    address memory = 0;
    int result = get(&memory, size);
    CHECK(result == 0 || result == OUT_OF_MEMORY);
    if (result == 0) {
      *(uint64_t *)memory = size;
      CHECK(atomic_fetch_add(&held, size) + size <= LIMIT);
    }
    atomic_fetch_add(&refused, result != 0);
    free_counted(atomic_exchange(&places[(random >> 40) % PLACES], memory));
  }
  return NULL;
}

static void threads_allocate_and_free_at_the_limit(void) {
  setenv("GIVEWAY_MEMORY", "65536", 1);
  gpu_start();
  in_threads(swap_at_the_limit);
  CHECK(atomic_load(&refused) != 0 && in_use() == atomic_load(&held));
  for (int i = 0; i < PLACES; i++) {
    free_counted(atomic_load(&places[i]));
  }
  CHECK(in_use() == 0 && atomic_load(&held) == 0);
  address memory;
  CHECK(get(&memory, LIMIT) == 0 && in_use() == LIMIT);
}

static _Atomic bool over;

static void *ask_for_too_much(void *unused) {
  address memory;
  CHECK(gpu_retain() == 0);
  while (!atomic_load(&over)) {
    CHECK(get(&memory, 2 * LIMIT) == OUT_OF_MEMORY);
    atomic_fetch_add(&refused, 1);
  }
  return unused;
}

/* An allocation may be refused because of another one that is refused at that moment. */
static void refused_allocations_do_not_count_for_the_peak(void) {
  setenv("GIVEWAY_MEMORY", "65536", 1);
  gpu_start();
  pthread_t thread;
  address memory;
  CHECK(pthread_create(&thread, NULL, ask_for_too_much, NULL) == 0);
  for (int i = 0; i < 10 * TURNS || atomic_load(&refused) < 10 * TURNS;) {
    if (get(&memory, KIB) == 0) {
      i++;
      CHECK(give(memory) == 0);
    }
  }
  atomic_store(&over, true);
  pthread_join(thread, NULL);
  CHECK(gpu_task_of(getpid()).memory_peak == KIB);
}

/* ---- beside a reservation that comes and goes --------------------------------------------------
 */

#define RESERVED (12 * GIB)
#define COMINGS 6
#define LOOKS 12 /* allocations that each time are to see the reservation, or its absence */

/* Two bits: there is none, it comes, it is there, it goes. Above them: how often that was. */
static _Atomic uint64_t phase;
static _Atomic uint64_t seen; /* allocations that began and ended in this phase */
enum { NONE, COMES, THERE, GOES };

static bool is(uint64_t now, unsigned what) { return (now & 3) == what; }

/* What is free is enough for all threads, and what the reservation leaves is not. */
static void *allocate_three(void *unused) {
  (void)unused;
  CHECK(gpu_retain() == 0);
  while (!atomic_load(&over)) {
    address memory[3] = {0, 0, 0};
    for (int i = 0; i < 3; i++) {
      uint64_t before = atomic_load(&phase);
      int result = get(&memory[i], GIB);
      CHECK(result == 0 || result == OUT_OF_MEMORY);
      uint64_t all = result == 0 ? atomic_fetch_add(&held, GIB) + GIB : 0;
      if (atomic_load(&phase) == before) {
        CHECK(!is(before, NONE) || result == 0);
        CHECK(!is(before, THERE) || all <= CARD - RESERVED);
        atomic_fetch_add(&seen, 1);
      }
    }
    for (int i = 0; i < 3; i++) {
      if (memory[i] != 0) {
        atomic_fetch_sub(&held, GIB);
        CHECK(give(memory[i]) == 0);
      }
    }
  }
  return NULL;
}

/* Another program, which reserves memory as soon as it is told to, and uses some of it until it is
 * killed. It is there before this one has opened the driver. */
struct other {
  pid_t pid;
  int orders[2], answers[2];
};

static void reserve_and_use(const struct other *self) {
  char byte;
  CHECK(read(self->orders[0], &byte, 1) == 1);
  setenv("GIVEWAY_RESERVE", "12884901888", 1);
  CHECK(freopen("/dev/null", "w", stderr) != NULL); /* it says that this cannot be met yet */
  gpu_start();
  for (bool first = true;; first = false) {
    address memory;
    CHECK(get(&memory, GIB) == 0);
    CHECK(!first || write(self->answers[1], "", 1) == 1);
    CHECK(give(memory) == 0);
  }
}

static struct other start_another(void) {
  struct other other;
  CHECK(pipe(other.orders) == 0 && pipe(other.answers) == 0);
  other.pid = fork();
  if (other.pid == 0) {
    close(other.orders[1]);
    reserve_and_use(&other);
  }
  close(other.answers[1]);
  return other;
}

static void await_reservation(const struct other *other) {
  char byte;
  CHECK(write(other->orders[1], "", 1) == 1 && read(other->answers[0], &byte, 1) == 1);
}

static void go_on_to(unsigned next) {
  CHECK(is(atomic_fetch_add(&phase, 1) + 1, next));
  atomic_store(&seen, 0);
}

static void a_reservation_comes_and_is_killed(void) {
  struct other others[COMINGS];
  for (int i = 0; i < COMINGS; i++) {
    others[i] = start_another();
  }
  setenv("GIVEWAY_CONTEXT_MIB", "0", 1);
  gpu_start();
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, allocate_three, NULL) == 0);
  }
  for (int i = 0; i < COMINGS; i++) {
    CHECK(eventually(&seen, LOOKS, 60000));
    go_on_to(COMES);
    await_reservation(&others[i]);
    go_on_to(THERE);
    CHECK(eventually(&seen, LOOKS, 60000));
    go_on_to(GOES);
    CHECK(kill(others[i].pid, SIGKILL) == 0 && waitpid(others[i].pid, NULL, 0) > 0);
    go_on_to(NONE);
  }
  CHECK(eventually(&seen, LOOKS, 60000));
  atomic_store(&over, true);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
  }
  CHECK(in_use() == 0);
  address memory;
  CHECK(get(&memory, CARD) == 0); /* what the killed ones had and reserved is not kept */
}

static const struct test_case cases[] = {
    {"threads allocate and free at the limit", threads_allocate_and_free_at_the_limit},
    {"refused allocations do not count for the peak",
     refused_allocations_do_not_count_for_the_peak},
    {"a reservation comes and is killed", a_reservation_comes_and_is_killed},
};
RUN_CASES(cases, 240)
