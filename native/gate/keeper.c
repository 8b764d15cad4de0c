/* The kernel walks a dying thread's list of robust futexes, and sets FUTEX_OWNER_DIED in each word
 * that holds the thread's id. It does so when a process begins to end or calls exec, before it
 * frees the memory. glibc has one such list in each thread for its mutexes. The keeper never takes
 * a mutex, so it gives the kernel a list of its own.
 *
 * The kernel finds a word at a fixed distance from its list node, so the nodes are in memory of
 * this process that has the layout of the page. No pointer is ever read from the page. */
#include "keeper.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "thread.h"

struct gw_keeper {
  struct robust_list_head list;
  size_t size;
  _Atomic uint32_t thread; /* its id, as the thread itself sees it; 0: not known yet */
  _Atomic int error;
  _Alignas(64) char nodes[];
};

static void *keep_for_ever(void *argument) {
  struct gw_keeper *keeper = argument;
  pthread_setname_np(pthread_self(), "giveway-keeper");
  int error = syscall(SYS_set_robust_list, &keeper->list, sizeof keeper->list) != 0 ? errno : 0;
  atomic_store(&keeper->error, error);
  atomic_store(&keeper->thread, (uint32_t)syscall(SYS_gettid));
  /* After an error the memory may be gone by now: to the kernel this is a wake-up of nobody. */
  syscall(SYS_futex, &keeper->thread, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  while (error == 0) {
    pause();
  }
  return NULL;
}

struct gw_keeper *gw_keeper_start(void *memory, size_t size) {
  struct gw_keeper *keeper =
      mmap(NULL, sizeof *keeper + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (keeper == MAP_FAILED) {
    return NULL;
  }
  keeper->size = size;
  keeper->list.list.next = &keeper->list.list;
  keeper->list.futex_offset = (char *)memory - keeper->nodes;
  int error = gw_thread_start(keep_for_ever, keeper);
  if (error == 0) {
    while (atomic_load(&keeper->thread) == 0) {
      syscall(SYS_futex, &keeper->thread, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    error = atomic_load(&keeper->error);
  }
  if (error != 0) {
    gw_keeper_forget(keeper);
  }
  errno = error;
  return error == 0 ? keeper : NULL;
}

void gw_keeper_forget(struct gw_keeper *keeper) { munmap(keeper, sizeof *keeper + keeper->size); }

static struct robust_list *node_of(struct gw_keeper *keeper, _Atomic uint32_t *word) {
  return (struct robust_list *)(void *)((char *)word - keeper->list.futex_offset);
}

/* The node before this one; NULL: the node is not in the list. */
static struct robust_list *before(struct gw_keeper *keeper, const struct robust_list *node) {
  struct robust_list *end = &keeper->list.list, *each = end;
  while (each->next != node && each->next != end) {
    each = each->next;
  }
  return each->next == node ? each : NULL;
}

/* The kernel may walk the list at any moment, so each change is one store, and a node that has left
 * the list keeps its pointer. */
static void set_next(struct robust_list *node, struct robust_list *next) {
  __atomic_store_n(&node->next, next, __ATOMIC_RELEASE);
}

static void link_node(struct gw_keeper *keeper, struct robust_list *node) {
  if (before(keeper, node) == NULL) {
    set_next(node, keeper->list.list.next);
    set_next(&keeper->list.list, node);
  }
}

/* Linked first: a process that dies in between has not got the word yet. */
void gw_keep(struct gw_keeper *keeper, _Atomic uint32_t *word) {
  link_node(keeper, node_of(keeper, word));
  atomic_store(word, atomic_load(&keeper->thread));
}

bool gw_keep_if_free(struct gw_keeper *keeper, _Atomic uint32_t *word) {
  uint32_t value = atomic_load(word);
  link_node(keeper, node_of(keeper, word));
  while (!gw_is_kept(value)) {
    if (atomic_compare_exchange_weak(word, &value, atomic_load(&keeper->thread))) {
      return true;
    }
  }
  gw_keep_no_longer(keeper, word);
  return false;
}

void gw_keep_no_longer(struct gw_keeper *keeper, _Atomic uint32_t *word) {
  struct robust_list *node = node_of(keeper, word), *previous = before(keeper, node);
  if (previous != NULL) {
    set_next(previous, node->next);
  }
}
