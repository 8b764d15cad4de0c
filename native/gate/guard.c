/* The next access to a mapped file that was truncated raises SIGBUS. That must not end the program
 * that this library is loaded into, so the page becomes zeros, which read as open gates. Every
 * other SIGBUS goes to the handler that was installed before. */
#include "guard.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "warn.h"

#define GUARDED 32

static _Atomic(struct gw_page *) guarded[GUARDED];
static struct sigaction previous;
static pthread_once_t installed = PTHREAD_ONCE_INIT;

static void on_sigbus(int signal, siginfo_t *info, void *context) {
  uintptr_t address = (uintptr_t)info->si_addr;
  for (int i = 0; info->si_code > 0 && i < GUARDED; i++) {
    struct gw_page *page = atomic_load(&guarded[i]);
    if (page == NULL) {
      continue;
    }
    uintptr_t start = (uintptr_t)page->map;
    if (address >= start && address < start + sizeof *page->map) {
      if (mmap(page->map, sizeof *page->map, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
        gw_page_distrust(page, GW_E_SIZE); /* the library's own access: no lock is in the way */
        return;
      }
    }
  }
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    sigaction(signal, &previous, NULL); /* the access is repeated, and takes its default course */
    if (info->si_code <= 0) {
      raise(signal); /* a signal that a process has sent is not repeated */
    }
  }
}

void gw_unguard_page(struct gw_page *page) {
  for (int i = 0; i < GUARDED; i++) {
    struct gw_page *found = page;
    atomic_compare_exchange_strong(&guarded[i], &found, NULL);
  }
}

static void install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &previous);
}

void gw_guard_page(struct gw_page *page) {
  for (int i = 0; i < GUARDED; i++) {
    struct gw_page *empty = NULL;
    if (atomic_compare_exchange_strong(&guarded[i], &empty, page)) {
      break;
    }
  }
  pthread_once(&installed, install);
}
