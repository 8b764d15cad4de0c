/* Hazards around the driver: calls too early, too late, after a fork, from threads that
 * end, with the library closed. For each API: see gpu.h. */
#include "gpu.h"

static gpu_kernel kernel;

/* A thread that waits at the closed gate with a launch: the first one, unless the machine is so
 * busy that nobody could take the page's lock in time. */
struct held {
  pthread_t thread;
  gw_task *urgent;
  _Atomic int state; /* 1 before the launch, 2 after */
  _Atomic bool let_go;
  int result;
};

static void *launch_held(void *argument) {
  struct held *held = argument;
  CHECK(gpu_retain() == 0);
  atomic_store(&held->state, 1);
  do {
    held->result = gpu_launch(kernel, NULL);
  } while (!atomic_load(&held->let_go));
  atomic_store(&held->state, 2);
  return NULL;
}

static void hold(struct held *held) {
  *held = (struct held){.urgent = gpu_rival(), .result = -1};
  while (gw_begin(held->urgent), !info_of(held->urgent).active) {
    gw_end(held->urgent);
  }
  pthread_create(&held->thread, NULL, launch_held, held);
  CHECK(somebody_waits(GPU_DEVICE));
  CHECK(atomic_load(&held->state) == 1);
}

static int release(struct held *held) {
  atomic_store(&held->let_go, true);
  gw_end(held->urgent);
  gw_idle(held->urgent);
  pthread_join(held->thread, NULL);
  gw_leave(held->urgent);
  return held->result;
}

static void held_as_ever(void) {
  struct held held;
  hold(&held);
  CHECK(release(&held) == 0);
}

static void start(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 0); /* unless a case has asked for another */
  gpu_start();
  kernel = gpu_get_kernel("ns_1000");
  CHECK(gpu_launch(kernel, NULL) == 0);
}

/* ---- too early and too late --------------------------------------------------------------------
 */

static void before_init(void) {
#ifdef GENERATION /* any call initialises */
  CHECK(gpu_launch(NULL, NULL) == 400 && hipGetLastError() == 400);
  CHECK(gpu_stream_sync(NULL) == 0 && gpu_sync() == 0);
#else
  static const char *const hooked[] = {
#define HOOKED(name) #name,
#include "hooked.h"
  };
  for (size_t i = 0; i < sizeof hooked / sizeof *hooked; i++) {
    if (strstr(hooked[i], "ProcAddress") == NULL) { /* which needs no cuInit, but a name */
      CHECK(call_with_zeros(dlsym(RTLD_DEFAULT, hooked[i])) == GPU_NOT_INITIALIZED);
    }
  }
  CHECK(gpu_task_of(getpid()).row == UINT32_MAX);
#endif
  start();
  held_as_ever();
}

static int tear_down(void) {
#ifdef GENERATION
  return hipDeviceReset();
#else
  return cuDevicePrimaryCtxReset_v2(0);
#endif
}

#define WITHOUT_CONTEXT GPU(0, 201) /* HIP makes a new one */

static void after_destruction(void) {
  start();
  gpu_stream stream = gpu_new_stream();
  gw_task *urgent = gpu_rival(); /* so that there are events of ours, which go with the context */
  for (int i = 0; i < 50; i++) {
    CHECK(gpu_launch(kernel, i % 2 ? NULL : stream) == 0);
  }
  uint64_t before = gpu_launches();
  CHECK(tear_down() == 0);
  for (int i = 0; i < 3; i++) {
    CHECK(gpu_launch(kernel, NULL) == WITHOUT_CONTEXT);
    CHECK(gpu_stream_sync(NULL) == WITHOUT_CONTEXT);
  }
  CHECK(gpu_retain() == 0);
  for (int i = 0; i < 50; i++) {
    CHECK(gpu_launch(kernel, NULL) == 0);
  }
  CHECK(gpu_sync() == 0 && gpu_launches() >= before + 50);
  gw_leave(urgent);
  held_as_ever();
}

static void destroyed_while_a_launch_is_held(void) {
  start();
  struct held held;
  hold(&held);
  CHECK(tear_down() == 0);
  CHECK(release(&held) == WITHOUT_CONTEXT);
  CHECK(gpu_retain() == 0 && gpu_launch(kernel, NULL) == 0);
}

static bool at_exit;

static void launch_late(void) {
  if (at_exit) {
    CHECK(gpu_launch(kernel, NULL) == 0 && gpu_stream_sync(NULL) == 0);
  }
}

/* Before any library's constructors, so the handler runs after all their destructors. */
static void register_first(int argc, char **argv, char **environment) {
  (void)argc, (void)argv, (void)environment;
  atexit(launch_late);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(int, char **, char **) = register_first;

__attribute__((destructor)) static void launch_in_destructor(void) { launch_late(); }

static void leave_late(void) {
  atexit(launch_late); /* runs after the driver's exit handlers */
  start();
  atexit(launch_late); /* runs before them */
  at_exit = true;
}

static void at_the_end(void) { CHECK(gpu_said_by(leave_late)[0] == '\0'); }

static void leave_late_while_held(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "50", 1);
  leave_late();
  gw_begin(gpu_rival());
}

static void at_the_end_behind_a_closed_gate(void) {
  CHECK(gpu_said_by(leave_late_while_held)[0] == '\0');
}

/* ---- threads that end --------------------------------------------------------------------------
 */

static pthread_key_t key;
static _Atomic int from_destructors;

/* Again and again, so that it comes after the shim's own destructor too. */
static void on_thread_end(void *rounds) {
  CHECK(gpu_retain() == 0 && gpu_launch(kernel, NULL) == 0 && gpu_stream_sync(NULL) == 0);
  atomic_fetch_add(&from_destructors, 1);
  if ((intptr_t)rounds > 1) {
    pthread_setspecific(key, (void *)((intptr_t)rounds - 1));
  }
}

static void *end_after(void *launches) {
  pthread_setspecific(key, (void *)3);
  CHECK(gpu_retain() == 0);
  for (intptr_t i = 0; i < (intptr_t)launches; i++) {
    CHECK(gpu_launch(kernel, NULL) == 0);
  }
  return NULL;
}

static void *end_with_a_task_of_its_own(void *launches) {
  gw_own *own;
  CHECK(gw_enter(GPU("hip", "cuda"), "own", -5, &own) == GW_OK);
  return end_after(launches); /* and without gw_exit */
}

static void threads_end(void *(*run)(void *)) {
  CHECK(pthread_key_create(&key, on_thread_end) == 0);
  start();
  for (int i = 0; i < 20; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, run, (void *)(intptr_t)(i % 2 * 5));
    pthread_join(thread, NULL);
  }
  CHECK(atomic_load(&from_destructors) == 60);
}

static void a_thread_that_is_torn_down(void) {
  threads_end(end_after);
  CHECK(gpu_launches() == 1 + 60 + 50);
  held_as_ever();
}

static void a_thread_with_a_task_that_is_torn_down(void) {
  threads_end(end_with_a_task_of_its_own);
  held_as_ever();
}

/* ---- fork --------------------------------------------------------------------------------------
 */

static void fork_and(void (*program)(void)) { CHECK(gpu_said_by(program)[0] == '\0'); }

static void do_nothing(void) {}

static void use_the_driver(void) {
  void *memory = NULL;
  CHECK(gpu_launch(kernel, NULL) == GPU_NOT_INITIALIZED);
  CHECK(gpu_sync() == GPU_NOT_INITIALIZED);
  CHECK(GPU(hipMalloc, cuMemAlloc_v2)((void *)&memory, 16) == GPU_NOT_INITIALIZED);
  CHECK(gpu_task_of(getpid()).row == UINT32_MAX);
}

static void fork_again(void) {
  fork_and(use_the_driver);
  use_the_driver();
}

static void goes_on_after(void (*program)(void)) {
  start();
  uint64_t ticket = gpu_task_of(getpid()).ticket;
  for (int i = 0; i < 3; i++) {
    fork_and(program);
    CHECK(gpu_launch(kernel, NULL) == 0 && gpu_task_of(getpid()).ticket == ticket);
  }
  CHECK(gpu_launches() == 4);
  held_as_ever();
}

static void a_child_that_does_nothing(void) { goes_on_after(do_nothing); }
static void a_child_that_uses_the_driver(void) { goes_on_after(use_the_driver); }
static void a_child_that_forks(void) { goes_on_after(fork_again); }

static _Atomic bool stop;

static void *keep_launching(void *unused) {
  (void)unused;
  CHECK(gpu_retain() == 0);
  while (!atomic_load(&stop)) {
    CHECK(gpu_launch(kernel, NULL) == 0);
  }
  return NULL;
}

/* Locks that other threads hold at the fork are never released in the child. */
static void forks_beside_busy_threads(void) {
  start();
  struct held held;
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) {
    pthread_create(&threads[i], NULL, keep_launching, NULL);
  }
  for (int i = 0; i < 30; i++) {
    fork_and(i % 2 == 0 ? do_nothing : use_the_driver);
  }
  atomic_store(&stop, true);
  for (int i = 0; i < 3; i++) {
    pthread_join(threads[i], NULL);
  }
  hold(&held);
  fork_and(use_the_driver);
  CHECK(release(&held) == 0);
}

static void use_it_first(void) {
  start();
  CHECK(gpu_launches() == 1);
  held_as_ever();
}

static void forks_before_init(void) {
  fork_and(use_it_first);
  use_it_first();
}

/* ---- the library is closed ---------------------------------------------------------------------
 */

static void close_often(void) {
  for (int i = 0; i < 3; i++) {
    void *library = dlopen(GPU_SONAME, RTLD_NOW);
    CHECK(library != NULL);
    int (*init)(unsigned) = (int (*)(unsigned))dlsym(library, GPU("hipInit", "cuInit"));
    CHECK(init != NULL && init(0) == 0);
    CHECK(dlsym(library, gpu_launch_name) == dlsym(RTLD_DEFAULT, gpu_launch_name));
    for (int j = 0; j < 3; j++) {
      dlclose(library); /* more often than it was opened */
    }
  }
}

static void a_program_that_closes_the_library(void) {
  close_often();
  start();
  close_often();
  struct held held;
  hold(&held);
  close_often();
  CHECK(release(&held) == 0 && gpu_sync() == 0);
}

static void a_program_that_closes_the_real_one(void) {
  start();
  for (int i = 0; i < 3; i++) {
    void *library = dlopen(gpu_interposed() ? GPU_SONAME : getenv(GPU_LIBRARY), RTLD_NOW);
    CHECK(library != NULL && dlclose(library) == 0);
  }
  CHECK(gpu_launch(kernel, NULL) == 0);
  held_as_ever();
}

static const struct test_case cases[] = {
    {"before init", before_init},
    {"after destruction", after_destruction},
    {"destroyed while a launch is held", destroyed_while_a_launch_is_held},
    {"at the end", at_the_end},
    {"at the end behind a closed gate", at_the_end_behind_a_closed_gate},
    {"a thread that is torn down", a_thread_that_is_torn_down},
    {"a thread with a task that is torn down", a_thread_with_a_task_that_is_torn_down},
    {"a child that does nothing", a_child_that_does_nothing},
    {"a child that uses the driver", a_child_that_uses_the_driver},
    {"a child that forks", a_child_that_forks},
    {"forks beside busy threads", forks_beside_busy_threads},
    {"forks before init", forks_before_init},
    {"a program that closes the library", a_program_that_closes_the_library},
    {"a program that closes the real one", a_program_that_closes_the_real_one},
};
RUN_CASES(cases, 240)
