/* A loader in the place of musl's: it ends a program with 127 if one of giveway's libraries is
 * preloaded, and else with 0 after printing what is preloaded. Starts no program. It stays
 * where STAY is set. */
#include <stddef.h>
#include <sys/syscall.h>

static long call(long number, long a, const void *b, long c) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return result;
}

static size_t matching(const char *text, const char *with) {
  size_t n = 0;
  while (with[n] != 0 && text[n] == with[n]) {
    n++;
  }
  return with[n] == 0 ? n : 0;
}

__attribute__((used)) static void run(const long *stack) {
  const char *const *variable = (const char *const *)stack + stack[0] + 2;
  for (; *variable != NULL; variable++) {
    if (matching(*variable, "STAY=") > 0) {
      call(SYS_write, 1, "ready\n", 6);
      call(SYS_pause, 0, NULL, 0);
    }
    size_t start = matching(*variable, "LD_PRELOAD=");
    if (start > 0) {
      const char *list = *variable + start;
      long length = 0;
      for (; list[length] != 0; length++) {
        if (matching(list + length, "libgiveway") > 0) {
          call(SYS_exit_group, 127, NULL, 0);
        }
      }
      call(SYS_write, 1, list, length);
    }
  }
  call(SYS_exit_group, 0, NULL, 0);
}

__attribute__((naked, used)) void _start(void) {
  __asm__("mov %rsp, %rdi\n and $-16, %rsp\n call run\n hlt");
}
