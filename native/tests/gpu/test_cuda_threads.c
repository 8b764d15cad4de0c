/* Several priorities in one process: threads with tasks of their own over the fake driver. */
#include "cuda_harness.h"

static CUcontext context;

static void start(void) {
  setenv("GIVEWAY_MAX_WAIT_MS", "0", 1); /* no turns */
  start_cuda();
  CHECK(cuCtxGetCurrent(&context) == 0);
}

static gw_own *enter(int priority) {
  gw_own *own;
  CHECK(cuCtxSetCurrent(context) == 0);
  CHECK(gw_enter("cuda", "own", priority, &own) == GW_OK);
  return own;
}

static int find_tasks(struct gw_task_info infos[8]) {
  gw_page *page;
  CHECK(gw_page_open(DEVICE, 0, &page) == GW_OK);
  int n = gw_tasks(page, infos, 8);
  CHECK(n >= 0);
  return n;
}

static bool there(int priority) {
  struct gw_task_info infos[8];
  bool found = false;
  for (int i = find_tasks(infos); i-- > 0;) {
    found = found || infos[i].priority == priority;
  }
  return found;
}

static bool gone(int priority) { return until(!there(priority), 60000); }

static void a_threads_launches_are_its_own_tasks(void) {
  start();
  CUfunction f = kernel("ns_0");
  CHECK(gw_peek() == NULL);
  CHECK(launch(f, NULL) == 0 && launch(f, NULL) == 0);
  gw_task *process = gw_peek();
  CHECK(info_of(process).launches == 2 && !info_of(process).is_thread);
  CHECK(strcmp(info_of(process).device, DEVICE) == 0);
  gw_own *outer = enter(7);
  CHECK(launch(f, NULL) == 0);
  gw_own *inner = enter(8);
  CHECK(launch(f, (CUstream)1) == 0 && launch(f, NULL) == 0);
  CHECK(info_of(gw_peek()).priority == 8 && info_of(gw_peek()).launches == 2);
  gw_exit(inner);
  struct gw_task_info info = info_of(gw_peek());
  CHECK(info.priority == 7 && info.launches == 1 && info.is_thread);
  CHECK(strcmp(info.name, "own") == 0 && strcmp(info.device, DEVICE) == 0);
  gw_exit(outer);
  CHECK(gw_peek() == process && gone(7) && gone(8));
  struct gw_task_info infos[8];
  CHECK(find_tasks(infos) == 1 && infos[0].launches == 2);
}

/* It enters before it has launched anything, and even before there is a context. */
static void entering_comes_before_the_device(void) {
  gw_own *own;
  CHECK(gw_enter("cuda", "early", 5, &own) == GW_OK && gw_peek() == NULL);
  start();
  CHECK(launch(kernel("ns_0"), NULL) == 0);
  CHECK(info_of(gw_peek()).priority == 5);
  gw_exit(own);
}

static _Atomic uint32_t word;

/* The device has the work until the word is 1: until then the task must stay. */
static void *urgent_kernel(void *function) {
  gw_own *own = enter(10);
  CHECK(cuStreamWaitValue32_v2(NULL, (CUdeviceptr)&word, 1, 0) == 0);
  CHECK(launch(function, NULL) == 0);
  gw_exit(own);
  return NULL;
}

static void hold_until_the_urgent_kernel_is_done(struct waiter *low) {
  CHECK(cuStreamCreate(&low->stream, 1) == 0);
  pthread_t urgent, thread;
  pthread_create(&urgent, NULL, urgent_kernel, kernel("ns_1000"));
  pthread_join(urgent, NULL);
  pthread_create(&thread, NULL, launch_in_thread, low);
  CHECK(somebody_waits(DEVICE) && there(10) && atomic_load(&low->state) == 1);
  atomic_store(&word, 1);
  pthread_join(thread, NULL);
  CHECK(gone(10) && own_task().held == 1 && own_task().priority == 0);
}

static void the_other_thread_is_held(void) {
  start();
  struct waiter low = {.function = kernel("ns_0"), .context = context};
  hold_until_the_urgent_kernel_is_done(&low);
}

/* While the launch was held there was nothing on its stream, and the urgent task's end asked. */
static void what_was_held_is_work_once_it_goes_on(void) {
  start();
  struct waiter low = {.function = kernel(FOR_EVER), .context = context};
  hold_until_the_urgent_kernel_is_done(&low);
  await_watcher();
  CHECK(own_task().active && own_task().priority == 0);
}

/* Where the shim remembers that a stream works. */
static unsigned place(uintptr_t stream) { return (stream ^ stream >> 5 ^ stream >> 11) % 32; }

static void streams_in_one_place_are_not_forgotten(void) {
  start();
  CUstream streams[200];
  int n = 0;
  do { /* the NULL stream is known as 1 */
    CHECK(n < 200 && cuStreamCreate(&streams[n], 1) == 0);
  } while (place((uintptr_t)streams[n++]) != place(1));
  CHECK(cuStreamWaitValue32_v2(NULL, (CUdeviceptr)&word, 1, 0) == 0);
  CHECK(launch(kernel("ns_1000"), NULL) == 0);
  CHECK(launch(kernel("ns_0"), streams[n - 1]) == 0);
  await_watcher();
  CHECK(own_task().active);
  atomic_store(&word, 1);
  CHECK(cuStreamSynchronize(NULL) == 0 && cuStreamSynchronize(streams[n - 1]) == 0);
  CHECK(until(!own_task().active, 60000));
}

/* ---- priority inheritance: each way to wait for work that only a held thread can submit ---------
 */

static void *launch_and_release(void *argument) {
  launch_in_thread(argument);
  atomic_store(&word, 1);
  return NULL;
}

static int wait_stream(CUstream stream, CUevent event) {
  (void)event;
  return cuStreamSynchronize(stream);
}

static int wait_context(CUstream stream, CUevent event) {
  (void)stream, (void)event;
  return cuCtxSynchronize();
}

static int wait_event(CUstream stream, CUevent event) {
  (void)stream;
  return cuEventSynchronize(event);
}

/* On the legacy stream: it waits for all blocking streams. */
static int wait_copy(CUstream stream, CUevent event) {
  (void)stream, (void)event;
  char from = 1, to = 0;
  return cuMemcpyDtoH_v2(&to, (CUdeviceptr)&from, 1);
}

static void lends(int (*wait)(CUstream, CUevent)) {
  start();
  CUstream stream;
  CUevent event;
  CHECK(cuStreamCreate(&stream, 0) == 0 && cuEventCreate(&event, 0) == 0);
  struct waiter low = {.function = kernel("ns_0"), .context = context};
  CHECK(cuStreamCreate(&low.stream, 1) == 0);
  CHECK(launch(low.function, low.stream) == 0); /* the process's own task, priority 0 */

  gw_own *own = enter(10);
  CHECK(cuStreamWaitValue32_v2(stream, (CUdeviceptr)&word, 1, 0) == 0);
  CHECK(launch(kernel("ns_1000"), stream) == 0 && cuEventRecord(event, stream) == 0);
  pthread_t thread;
  pthread_create(&thread, NULL, launch_and_release, &low);
  CHECK(somebody_waits(DEVICE));
  CHECK(atomic_load(&low.state) == 1); /* held by us */
  CHECK(wait(stream, event) == 0);
  CHECK(atomic_load(&low.state) == 2);
  pthread_join(thread, NULL);

  struct gw_task_info process = own_task();
  CHECK(process.priority == 0 && !process.is_thread); /* observers see the task's own priority */
  CHECK(launch(kernel(FOR_EVER), stream) == 0);
  CHECK(own_task().gate_closed); /* and the loan is over */
  gw_exit(own);
}

static void waiting_for_a_stream_lends(void) { lends(wait_stream); }
static void waiting_for_all_lends(void) { lends(wait_context); }
static void waiting_for_an_event_lends(void) { lends(wait_event); }
static void a_copy_on_the_legacy_stream_lends(void) { lends(wait_copy); }

static void *wait_urgently(void *stream) {
  gw_own *own = enter(10);
  CHECK(cuStreamSynchronize(stream) == 0);
  gw_exit(own);
  return NULL;
}

/* A task inherits the lender's priority and no more: a more urgent task still holds it. */
static void a_loan_does_not_outrank_others(void) {
  start();
  CUstream stream;
  CHECK(cuStreamCreate(&stream, 1) == 0);
  struct waiter low = {.function = kernel("ns_0"), .context = context};
  CHECK(launch(low.function, low.stream) == 0);
  CHECK(cuStreamWaitValue32_v2(stream, (CUdeviceptr)&word, 1, 0) == 0);
  gw_page *page;
  gw_task *rivals[2];
  CHECK(gw_page_open(DEVICE, 1, &page) == GW_OK);
  for (int i = 0; i < 2; i++) {
    struct gw_task_options options = {.name = "rival", .priority = i == 0 ? 5 : 20};
    CHECK(gw_join(page, &options, &rivals[i]) == GW_OK);
    gw_begin(rivals[i]);
  }
  pthread_t lender, thread;
  pthread_create(&lender, NULL, wait_urgently, stream);
  CHECK(until(there(10), 60000)); /* else the device would hold the launch, and not its thread */
  pthread_create(&thread, NULL, launch_in_thread, &low);
  CHECK(somebody_waits(DEVICE));
  CHECK(atomic_load(&low.state) == 1); /* by 20 */
  gw_end(rivals[1]);
  gw_idle(rivals[1]);
  pthread_join(thread, NULL); /* 5 does not hold it any more */
  atomic_store(&word, 1);
  pthread_join(lender, NULL);
}

/* ---- threads that end -------------------------------------------------------------------------
 */

static pthread_key_t key;
static CUfunction late;

static void launch_from_destructor(void *rounds) {
  CHECK(launch(late, NULL) == 0 && cuStreamSynchronize(NULL) == 0);
  if (rounds != (void *)1) {
    pthread_setspecific(key, (char *)rounds - 1);
  }
}

static void *end_soon(void *unused) {
  CHECK(cuCtxSetCurrent(context) == 0 && launch(late, NULL) == 0);
  pthread_setspecific(key, (void *)3);
  return unused;
}

static void threads_that_are_torn_down(void) {
  start();
  late = kernel("ns_0");
  CHECK(pthread_key_create(&key, launch_from_destructor) == 0);
  for (int i = 0; i < 50; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, end_soon, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
  CHECK(own_task().launches == 50 * 4 && fake_calls("cuLaunchKernel") == 50 * 4);
}

static const struct test_case cases[] = {
    {"a thread's launches are its own task's", a_threads_launches_are_its_own_tasks},
    {"entering comes before the device", entering_comes_before_the_device},
    {"the other thread is held", the_other_thread_is_held},
    {"what was held is work once it goes on", what_was_held_is_work_once_it_goes_on},
    {"streams in one place are not forgotten", streams_in_one_place_are_not_forgotten},
    {"waiting for a stream lends", waiting_for_a_stream_lends},
    {"waiting for all lends", waiting_for_all_lends},
    {"waiting for an event lends", waiting_for_an_event_lends},
    {"a copy on the legacy stream lends", a_copy_on_the_legacy_stream_lends},
    {"a loan does not outrank others", a_loan_does_not_outrank_others},
    {"threads that are torn down", threads_that_are_torn_down},
};
RUN_CASES(cases, 240)
