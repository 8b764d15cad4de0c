/* Executes the operations of all streams, in order within each. Each process has one engine thread.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "fake.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, progress = PTHREAD_COND_INITIALIZER;
static bool running, paused;
static uint64_t resumed_ns;
static uint64_t sequence;

void engine_lock(void) { pthread_mutex_lock(&lock); }
void engine_unlock(void) { pthread_mutex_unlock(&lock); }

void engine_reset(void) {
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&work, NULL);
  pthread_cond_init(&progress, NULL);
  running = paused = false;
}

/* The legacy stream and the blocking ones wait for each other's earlier work. */
static bool in_order(const struct stream *stream) {
  const struct context *context = stream->context;
  uint64_t mine = stream->first->sequence;
  if (!stream->legacy) {
    const struct op *legacy = context->legacy.first;
    return !stream->blocking || legacy == NULL || legacy->sequence > mine;
  }
  for (const struct stream *s = context->streams; s != NULL; s = s->next) {
    if (s->blocking && s->first != NULL && s->first->sequence < mine) {
      return false;
    }
  }
  return true;
}

static bool awaits_word(const struct op *op) { return (int32_t)(*op->word - op->value) < 0; }

static bool runnable(struct stream *stream) {
  struct op *op = stream->first;
  if (op == NULL || !in_order(stream)) {
    return false;
  }
  if (op->kind == OP_WAIT_EVENT) {
    return op->event->done_version >= op->version;
  }
  if (op->kind == OP_WAIT_VALUE && awaits_word(op)) {
    op->waited = true;
    return false;
  }
  return true;
}

/* When the operation may begin. After a real wait for a word it begins now. Otherwise it begins
 * when it was ready, or when the device went on: the delay until this thread notices costs no
 * device time. */
static uint64_t ready_at(const struct op *op) {
  uint64_t ready = op->waited ? fake_now() : op->ready_ns;
  return ready > resumed_ns ? ready : resumed_ns;
}

/* The runnable stream with the oldest first operation; *any: whether any stream has work. */
static struct stream *choose(int device, bool *any) {
  struct context *context = &fake_contexts[device];
  struct stream *best = NULL;
  context->legacy.next = context->streams;
  for (struct stream *s = &context->legacy; s != NULL; s = s->next) {
    *any = *any || s->first != NULL;
    if (runnable(s) && (best == NULL || s->first->sequence < best->first->sequence)) {
      best = s;
    }
  }
  return best;
}

/* For tests: the device time that is submitted and not over. */
uint64_t fake_in_flight_ns(void) {
  uint64_t ns = 0;
  engine_lock();
  for (int device = 0; device < DEVICES; device++) {
    struct context *context = &fake_contexts[device];
    context->legacy.next = context->streams;
    for (struct stream *s = &context->legacy; s != NULL; s = s->next) {
      for (struct op *op = s->first; op != NULL; op = op->next) {
        ns += op->ns;
      }
    }
  }
  engine_unlock();
  return ns;
}

bool engine_works(void) {
  bool works = false;
  engine_lock();
  for (int device = 0; device < DEVICES; device++) {
    struct context *context = &fake_contexts[device];
    context->legacy.next = context->streams;
    for (struct stream *s = &context->legacy; s != NULL; s = s->next) {
      works = works || s->first != NULL;
    }
  }
  engine_unlock();
  return works;
}

/* For tests: whether the device has work, all of which waits for a word in memory. */
bool fake_held(void) {
  bool waits = false, others = false;
  engine_lock();
  for (int device = 0; device < DEVICES; device++) {
    struct context *context = &fake_contexts[device];
    context->legacy.next = context->streams;
    for (struct stream *s = &context->legacy; s != NULL; s = s->next) {
      others = others || runnable(s);
      waits = waits || (s->first != NULL && s->first->kind == OP_WAIT_VALUE);
    }
  }
  engine_unlock();
  return waits && !others;
}

/* For tests: work on the legacy stream that lasts longer than any test, and that no hook has seen.
 */
void fake_occupy(void) {
  engine_lock();
  engine_submit(&fake_current->legacy, (struct op){.kind = OP_WORK, .ns = UINT64_C(1000000000000)});
  engine_unlock();
}

/* For tests: the device begins nothing from now on. */
void fake_pause(void) {
  engine_lock();
  paused = true;
  engine_unlock();
}

/* What was submitted in the meantime follows without gaps, so that events measure exactly how long
 * each piece takes, however slowly the program submitted it. */
void fake_resume(void) {
  engine_lock();
  paused = false;
  resumed_ns = fake_now();
  pthread_cond_broadcast(&work);
  engine_unlock();
}

static void finish(struct stream *stream, uint64_t now) {
  struct op *op = stream->first;
  switch (op->kind) {
  case OP_RECORD:
    op->event->done_version = op->version;
    op->event->ns = now;
    break;
  case OP_WRITE_VALUE:
    *op->word = op->value;
    break;
  case OP_COPY:
    if (op->from != NULL) {
      memmove(op->to, op->from, op->size);
    } else {
      memset(op->to, (int)op->value, op->size);
    }
    break;
  default:
    break;
  }
  stream->first = op->next;
  if (stream->first == NULL) {
    stream->last = NULL;
  }
  free(op);
  pthread_cond_broadcast(&progress);
}

/* ---- kernels of several streams at a time ----------------------------------------------------
 *
 * GIVEWAY_FAKE_STREAMS=8: the first eight, in the order of submission, side by side.
 * GIVEWAY_FAKE_STREAMS=8/2: the same, but they get as much done as two. */
#define MOST_AT_A_TIME 32
#define GRAIN_NS UINT64_C(25000) /* how soon a kernel joins those that run */

static unsigned at_a_time;
static double full; /* so many run at full speed */

static void read_streams(void) {
  const char *text = getenv("GIVEWAY_FAKE_STREAMS");
  char *end = NULL;
  unsigned long number = text != NULL ? strtoul(text, &end, 10) : 1;
  at_a_time = number < MOST_AT_A_TIME ? (unsigned)number : MOST_AT_A_TIME;
  full = end != NULL && *end == '/' ? strtod(end + 1, NULL) : at_a_time;
}

/* The streams whose kernels or copies run at that time, oldest first; how many there are. *next:
 * when more begin at the latest. Operations that take no time are done with. */
static unsigned find_running(int device, uint64_t now, struct stream **found, uint64_t *next) {
  struct context *context = &fake_contexts[device];
  unsigned count = 0;
  context->legacy.next = context->streams;
  for (struct stream *s = &context->legacy; s != NULL; s = s->next) {
    while (runnable(s) && s->first->ns == 0) {
      uint64_t ready = ready_at(s->first);
      finish(s, ready > now ? ready : now);
    }
    if (!runnable(s)) {
      continue;
    }
    uint64_t ready = ready_at(s->first);
    if (ready > now) {
      *next = ready < *next ? ready : *next;
      continue;
    }
    unsigned at = count < at_a_time ? count++ : count;
    for (; at > 0 && found[at - 1]->first->sequence > s->first->sequence; at--) {
      if (at < at_a_time) {
        found[at] = found[at - 1];
      }
    }
    if (at < at_a_time) {
      found[at] = s;
    }
  }
  return count;
}

/* Runs them for a while, with the lock released. False: there are none. */
static bool run_side_by_side(int device, uint64_t *clock) {
  struct stream *streams[MOST_AT_A_TIME];
  uint64_t next = UINT64_MAX;
  unsigned count = find_running(device, *clock, streams, &next);
  if (count == 0) {
    *clock = next != UINT64_MAX ? next : *clock;
    return next != UINT64_MAX;
  }
  double speed = count > full ? full / count : 1;
  uint64_t ns = next - *clock < GRAIN_NS ? next - *clock : GRAIN_NS, began = 0;
  for (unsigned i = 0; i < count; i++) {
    struct op *op = streams[i]->first;
    op->left = op->left != 0 ? op->left : (double)op->ns;
    uint64_t rest = (uint64_t)(op->left / speed) + 1;
    ns = rest < ns ? rest : ns;
  }
  pthread_mutex_unlock(&lock);
  uint64_t end = share_run(device, ns, streams[0]->first->of, *clock, &began);
  pthread_mutex_lock(&lock);
  for (unsigned i = 0; i < count; i++) {
    struct op *op = streams[i]->first;
    if (op->began != NULL && op->left == (double)op->ns) {
      *op->began = began;
    }
    op->left -= (double)ns * speed;
    if (op->left < 1) {
      if (op->ended != NULL) {
        *op->ended = end;
      }
      finish(streams[i], end);
    }
  }
  *clock = end;
  return true;
}

static void *engine(void *unused) {
  (void)unused;
  prctl(PR_SET_TIMERSLACK, 1);
  read_streams();
  uint64_t clock[DEVICES] = {0}; /* when each device was done with this process's last work */
  pthread_mutex_lock(&lock);
  for (;;) {
    bool any = false, ran = false;
    while (paused) {
      pthread_cond_wait(&work, &lock);
    }
    for (int device = 0; device < DEVICES; device++) {
      if (!fake_contexts[device].alive) {
        continue;
      }
      bool here = false;
      if (at_a_time > 1) {
        choose(device, &here);
        any = any || here;
        if (run_side_by_side(device, &clock[device])) {
          ran = true;
        } else {
          share_yield(device, true);
        }
        continue;
      }
      struct stream *stream = choose(device, &here);
      any = any || here;
      if (stream == NULL) {
        share_yield(device, true);
        continue;
      }
      ran = true;
      uint64_t ready = ready_at(stream->first);
      uint64_t from = ready > clock[device] ? ready : clock[device];
      if (stream->first->ns != 0) {
        const struct op *op = stream->first;
        uint64_t began = 0;
        pthread_mutex_unlock(&lock);
        from = share_run(device, op->ns, op->of, from, &began);
        if (op->began != NULL) {
          *op->began = began;
          *op->ended = from;
        }
        pthread_mutex_lock(&lock);
      }
      clock[device] = from;
      finish(stream, from);
    }
    if (ran) {
      continue;
    }
    if (!any) {
      pthread_cond_wait(&work, &lock);
    } else { /* streams wait for words in memory, whose changes are not signalled */
      pthread_mutex_unlock(&lock);
      nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
      pthread_mutex_lock(&lock);
    }
  }
  return NULL;
}

void engine_submit(struct stream *stream, struct op op) {
  struct op *copy = malloc(sizeof *copy);
  *copy = op;
  copy->next = NULL;
  copy->sequence = ++sequence;
  copy->ready_ns = fake_now();
  /* Whether or not the engine's thread looks before the word changes. */
  copy->waited = op.kind == OP_WAIT_VALUE && awaits_word(&op);
  if (stream->last != NULL) {
    stream->last->next = copy;
  } else {
    stream->first = copy;
  }
  stream->last = copy;
  if (!running) {
    pthread_t thread;
    pthread_create(&thread, NULL, engine, NULL);
    pthread_detach(thread);
    running = true;
  }
  pthread_cond_signal(&work);
}

bool engine_stream_busy(struct stream *stream) {
  if (stream->first != NULL) {
    return true;
  }
  for (struct stream *s = stream->legacy ? stream->context->streams : NULL; s != NULL;
       s = s->next) {
    if (s->blocking && s->first != NULL) {
      return true;
    }
  }
  return false;
}

bool engine_stream_free(struct stream *stream) {
  return !engine_stream_busy(stream) &&
         !(stream->blocking && stream->context->legacy.first != NULL);
}

void engine_wait_stream(struct stream *stream) {
  while (engine_stream_busy(stream)) {
    pthread_cond_wait(&progress, &lock);
  }
}

void engine_record(struct event *event, struct stream *stream) {
  event->recorded = true;
  event->version++;
  if (engine_stream_free(stream) && !paused) {
    event->done_version = event->version;
    event->ns = fake_now();
    return;
  }
  engine_submit(stream, (struct op){.kind = OP_RECORD, .event = event, .version = event->version});
}

void engine_wait_event(struct event *event) {
  uint64_t version = event->version;
  while (event->done_version < version) {
    pthread_cond_wait(&progress, &lock);
  }
}
