/* The device itself, in shared memory. The process that has the time slice runs. A time slice ends
 * after a quantum if another process has work. With beside.c all processes run at a time. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

#define SEATS 32
#define QUANTUM_NS UINT64_C(2000000) /* as measured on real devices */
#define LOOK_NS UINT64_C(200000)     /* how soon a running kernel notices another process's work */

struct gpu {
  _Atomic uint32_t lock; /* the holder's pid, so that other processes notice a killed holder */
  _Atomic uint32_t word; /* a futex, changed when the time slice passes to another process */
  struct {
    _Atomic uint32_t pid;
    _Atomic uint32_t wants;
    _Atomic uint64_t memory; /* bytes of the device that the process has */
    _Atomic uint32_t runs;   /* side by side: the kind of the kernel that runs; 0: none */
  } seats[SEATS];
  _Atomic uint32_t holder; /* the seat + 1 of the running process; 0: none */
  _Atomic uint64_t turn_end, free_at;
};

static struct gpu *gpus[DEVICES];
static int seat[DEVICES];

uint64_t fake_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns) {
  struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
  }
}

static bool dead(uint32_t pid) { return pid != 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH; }

static void lock(struct gpu *gpu) {
  uint32_t mine = (uint32_t)getpid();
  for (;;) {
    uint32_t owner = 0;
    if (atomic_compare_exchange_strong(&gpu->lock, &owner, mine)) {
      return;
    }
    if (dead(owner) && atomic_compare_exchange_strong(&gpu->lock, &owner, mine)) {
      return;
    }
    sched_yield();
  }
}

static void unlock(struct gpu *gpu) { atomic_store(&gpu->lock, 0); }

void share_open(int device) {
  char path[4096];
  const char *folder = getenv("GIVEWAY_FAKE_DIR");
  snprintf(path, sizeof path, "%s/giveway-fake-gpu-%d", folder != NULL ? folder : "/dev/shm",
           fake_physical[device]);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct gpu *gpu = MAP_FAILED;
  if (fd >= 0 && ftruncate(fd, sizeof *gpu) == 0) {
    gpu = mmap(NULL, sizeof *gpu, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  if (gpu == MAP_FAILED) {
    perror(path);
    abort();
  }
  close(fd);
  lock(gpu);
  for (int i = 0; i < SEATS; i++) {
    uint32_t pid = atomic_load(&gpu->seats[i].pid);
    if (pid == 0 || dead(pid) || pid == (uint32_t)getpid()) {
      atomic_store(&gpu->seats[i].pid, (uint32_t)getpid());
      atomic_store(&gpu->seats[i].wants, 0);
      atomic_store(&gpu->seats[i].memory, 0);
      atomic_store(&gpu->seats[i].runs, 0);
      seat[device] = i;
      break;
    }
  }
  unlock(gpu);
  gpus[device] = gpu;
}

/* Under the lock: the holder value of the next process with work, after this seat; 0: none. */
static uint32_t next_after(struct gpu *gpu, uint32_t from) {
  for (uint32_t i = 1; i <= SEATS; i++) {
    uint32_t at = (from + i) % SEATS;
    if (atomic_load(&gpu->seats[at].wants) != 0) {
      if (!dead(atomic_load(&gpu->seats[at].pid))) {
        return at + 1;
      }
      atomic_store(&gpu->seats[at].wants, 0);
    }
  }
  return 0;
}

/* Under the lock. */
static void pass_turn(struct gpu *gpu, uint32_t to) {
  atomic_store(&gpu->holder, to);
  atomic_store(&gpu->turn_end, fake_now() + QUANTUM_NS);
  atomic_fetch_add(&gpu->word, 1);
  syscall(SYS_futex, &gpu->word, FUTEX_WAKE, 1000, NULL, NULL, 0);
}

static bool others_want(struct gpu *gpu, int mine) {
  for (int i = 0; i < SEATS; i++) {
    if (i != mine && atomic_load(&gpu->seats[i].wants) != 0) {
      return true;
    }
  }
  return false;
}

static void take_turn(struct gpu *gpu, int mine) {
  atomic_store(&gpu->seats[mine].wants, 1);
  for (;;) {
    uint32_t word = atomic_load(&gpu->word);
    uint32_t holder = atomic_load(&gpu->holder);
    if (holder == (uint32_t)mine + 1) {
      return;
    }
    if (holder == 0 || dead(atomic_load(&gpu->seats[holder - 1].pid))) {
      lock(gpu);
      if (atomic_load(&gpu->holder) == holder) {
        pass_turn(gpu, (uint32_t)mine + 1);
      }
      unlock(gpu);
      continue;
    }
    struct timespec t = {.tv_nsec = 5000000};
    syscall(SYS_futex, &gpu->word, FUTEX_WAIT, word, &t, NULL, 0);
  }
}

void share_yield(int device, bool idle) {
  struct gpu *gpu = gpus[device];
  uint32_t mine = (uint32_t)seat[device];
  if (idle) {
    atomic_store(&gpu->seats[mine].wants, 0);
    atomic_store(&gpu->seats[mine].runs, 0);
  }
  if (atomic_load(&gpu->holder) != mine + 1 ||
      (!idle && fake_now() < atomic_load(&gpu->turn_end))) {
    return;
  }
  lock(gpu);
  if (atomic_load(&gpu->holder) == mine + 1) {
    uint32_t next = next_after(gpu, mine);
    if (next != mine + 1) {
      pass_turn(gpu, next);
    }
  }
  unlock(gpu);
}

/* By how much the kernels of other processes slow a kernel down now. */
static double slowdown(struct gpu *gpu, int mine, uint32_t kind) {
  double factor = 1;
  for (int i = 0; i < SEATS; i++) {
    uint32_t other = atomic_load(&gpu->seats[i].runs);
    if (i != mine && other != 0 && !dead(atomic_load(&gpu->seats[i].pid))) {
      factor += beside_factor(kind, other) - 1;
    }
  }
  return factor;
}

static uint64_t run_beside(struct gpu *gpu, int mine, uint64_t ns, uint32_t kind, uint64_t from) {
  double left = (double)ns;
  atomic_store(&gpu->seats[mine].runs, kind);
  for (uint64_t at = from;;) {
    double factor = slowdown(gpu, mine, kind);
    uint64_t rest = (uint64_t)(left * factor) + 1;
    uint64_t next = rest < LOOK_NS ? rest : LOOK_NS;
    sleep_until(at + next);
    at += next;
    if (next == rest) {
      return at;
    }
    left -= (double)next / factor;
  }
}

uint64_t share_run(int device, uint64_t ns, uint32_t kind, uint64_t from, uint64_t *began) {
  struct gpu *gpu = gpus[device];
  int mine = seat[device];
  if (kind != 0 && beside_on()) {
    *began = *began == 0 ? from : *began;
    return run_beside(gpu, mine, ns, kind, from);
  }
  for (;;) {
    take_turn(gpu, mine);
    uint64_t free_at = atomic_load(&gpu->free_at);
    uint64_t start = from > free_at ? from : free_at;
    uint64_t end = start + ns;
    *began = *began == 0 ? start : *began;
    for (uint64_t now = fake_now();; now = fake_now()) {
      if (now >= end) {
        atomic_store(&gpu->free_at, end);
        share_yield(device, false);
        return end;
      }
      bool others = others_want(gpu, mine);
      uint64_t turn_end = atomic_load(&gpu->turn_end);
      if (!others && now >= turn_end) { /* time slices end also when no other process has work */
        turn_end += (now - turn_end) / QUANTUM_NS * QUANTUM_NS + QUANTUM_NS;
        atomic_store(&gpu->turn_end, turn_end);
      }
      if (others && now >= turn_end) {
        break;
      }
      uint64_t until = others ? turn_end : now + LOOK_NS;
      sleep_until(until < end ? until : end);
    }
    uint64_t now = fake_now();
    ns = now < end ? end - now : 1;
    atomic_store(&gpu->free_at, now);
    from = now;
    share_yield(device, false);
  }
}

/* ---- the device's memory ---- */

uint64_t share_memory_size(void) {
  const char *text = getenv("GIVEWAY_FAKE_MEMORY");
  return text != NULL ? strtoull(text, NULL, 10) : UINT64_C(1) << 34;
}

static uint64_t free_memory(const struct gpu *gpu) {
  uint64_t used = 0, size = share_memory_size();
  for (int i = 0; i < SEATS; i++) {
    uint32_t pid = atomic_load(&gpu->seats[i].pid);
    uint64_t memory = atomic_load(&gpu->seats[i].memory);
    used += memory != 0 && (pid == (uint32_t)getpid() || !dead(pid)) ? memory : 0;
  }
  return used < size ? size - used : 0;
}

uint64_t share_memory_free(int device) {
  lock(gpus[device]);
  uint64_t bytes = free_memory(gpus[device]);
  unlock(gpus[device]);
  return bytes;
}

bool share_memory_take(int device, uint64_t bytes) {
  struct gpu *gpu = gpus[device];
  lock(gpu);
  bool fits = bytes <= free_memory(gpu);
  atomic_fetch_add(&gpu->seats[seat[device]].memory, fits ? bytes : 0);
  unlock(gpu);
  return fits;
}

void share_memory_give(int device, uint64_t bytes) {
  atomic_fetch_sub(&gpus[device]->seats[seat[device]].memory, bytes);
}

uint64_t share_memory_used(int device) {
  return atomic_load(&gpus[device]->seats[seat[device]].memory);
}

void share_memory_reset(int device) { atomic_store(&gpus[device]->seats[seat[device]].memory, 0); }
