/* Reads what the kernel and the loader read of a program: headers and the dynamic section. Only the
 * stack and bare system calls are used: the caller may be a child of vfork, and the C library's own
 * calls would be points where a thread can be cancelled. */
#include "target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#error "unknown machine"
#endif

enum {
  MAX_SCRIPTS = 5, /* how many interpreters of interpreters the kernel follows */
  MAX_HEADERS = 128,
  MAX_ENTRIES = 4096,
};

struct program {
  int fd;
  Elf64_Ehdr header;
  bool interpreted;
  char interpreter[64]; /* the end of its path */
  Elf64_Phdr dynamic;   /* of no size, if there is none */
  Elf64_Addr strings;
};

static int open_at(int folder, const char *path) {
  /* Not to be kept by a pipe that nobody writes to. */
  return (int)syscall(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
}

static void close_file(int fd) { syscall(SYS_close, fd); }

static long read_some(int fd, void *to, size_t size, Elf64_Off offset) {
  return syscall(SYS_pread64, fd, to, size, offset);
}

static bool begins(const char *text, const char *with) {
  return strncmp(text, with, strlen(with)) == 0;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

int gw_is_asan(const char *name) {
  return begins(name, "libasan.so") || begins(name, "libclang_rt.asan");
}

static bool is_glibc_loader(const char *name) {
  return begins(name, "ld-linux") || begins(name, "ld-lsb");
}

static bool read_at(int fd, void *to, size_t size, Elf64_Off offset) {
  return read_some(fd, to, size, offset) == (long)size;
}

/* The text at an offset, as far as it fits. */
static void read_text(int fd, char *to, size_t size, Elf64_Off offset) {
  long n = read_some(fd, to, size - 1, offset);
  to[n > 0 ? n : 0] = 0;
}

static bool read_segments(struct program *p) {
  const Elf64_Ehdr *header = &p->header;
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > MAX_HEADERS) {
    return false;
  }
  for (int n = 0; n < header->e_phnum; n++) {
    Elf64_Phdr segment;
    if (!read_at(p->fd, &segment, sizeof segment, header->e_phoff + n * sizeof segment)) {
      return false;
    }
    if (segment.p_type == PT_INTERP) {
      Elf64_Xword room = sizeof p->interpreter;
      Elf64_Xword skipped = segment.p_filesz > room ? segment.p_filesz - room : 0;
      read_text(p->fd, p->interpreter, room, segment.p_offset + skipped);
      p->interpreted = true;
    } else if (segment.p_type == PT_DYNAMIC) {
      p->dynamic = segment;
    }
  }
  return true;
}

/* The offset in the file of what is loaded at an address; 0 if nothing is. */
static Elf64_Off offset_of(const struct program *p, Elf64_Addr address) {
  for (int n = 0; n < p->header.e_phnum; n++) {
    Elf64_Phdr segment;
    if (read_at(p->fd, &segment, sizeof segment, p->header.e_phoff + n * sizeof segment) &&
        segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
        address - segment.p_vaddr < segment.p_filesz) {
      return segment.p_offset + (address - segment.p_vaddr);
    }
  }
  return 0;
}

static int entry_count(const struct program *p) {
  Elf64_Xword count = p->dynamic.p_filesz / sizeof(Elf64_Dyn);
  return count < MAX_ENTRIES ? (int)count : MAX_ENTRIES;
}

static Elf64_Dyn entry_at(const struct program *p, int n) {
  Elf64_Dyn entry = {.d_tag = DT_NULL};
  read_at(p->fd, &entry, sizeof entry, p->dynamic.p_offset + n * sizeof entry);
  return entry;
}

static void find_strings(struct program *p) {
  for (int n = 0; n < entry_count(p); n++) {
    Elf64_Dyn entry = entry_at(p, n);
    if (entry.d_tag == DT_NULL) {
      return;
    }
    if (entry.d_tag == DT_STRTAB) {
      p->strings = offset_of(p, entry.d_un.d_ptr);
      return;
    }
  }
}

static enum gw_target judge(struct program *p) {
  find_strings(p);
  for (int n = 0; p->strings != 0 && n < entry_count(p); n++) {
    Elf64_Dyn entry = entry_at(p, n);
    if (entry.d_tag == DT_NULL) {
      break;
    }
    if (entry.d_tag == DT_NEEDED || entry.d_tag == DT_SONAME) {
      char name[32];
      read_text(p->fd, name, sizeof name, p->strings + entry.d_un.d_val);
      if (entry.d_tag == DT_NEEDED && p->interpreted && gw_is_asan(name)) {
        return GW_TARGET_ASAN_FIRST;
      }
      if (entry.d_tag == DT_SONAME && !p->interpreted && !is_glibc_loader(name)) {
        return GW_TARGET_FAILS; /* not a static program but a loader, started as a program */
      }
    }
  }
  return GW_TARGET_LOADS;
}

static enum gw_target target_of_elf(struct program *p) {
  if (p->header.e_ident[EI_CLASS] != ELFCLASS64 || p->header.e_machine != OWN_MACHINE) {
    return GW_TARGET_FAILS;
  }
  if (!read_segments(p)) {
    return GW_TARGET_LOADS; /* damaged: the kernel refuses it, whatever is preloaded */
  }
  if (p->interpreted && !is_glibc_loader(base_name(p->interpreter))) {
    return GW_TARGET_FAILS;
  }
  return judge(p);
}

/* The interpreter of a script; false if the file is no script. */
static bool read_interpreter(int fd, char *path, size_t size) {
  char line[256];
  read_text(fd, line, sizeof line, 0);
  if (!begins(line, "#!")) {
    return false;
  }
  const char *start = line + 2 + strspn(line + 2, " \t");
  size_t length = strcspn(start, " \t\n");
  if (length == 0 || length >= size) {
    return false;
  }
  memcpy(path, start, length);
  path[length] = 0;
  return true;
}

static enum gw_target target_of(int fd) {
  enum gw_target found = GW_TARGET_LOADS;
  for (int depth = 0; fd >= 0 && depth <= MAX_SCRIPTS; depth++) {
    struct program p = {.fd = fd};
    char interpreter[256];
    if (read_at(fd, &p.header, sizeof p.header, 0) &&
        memcmp(p.header.e_ident, ELFMAG, SELFMAG) == 0) {
      found = target_of_elf(&p);
      break;
    }
    if (!read_interpreter(fd, interpreter, sizeof interpreter)) {
      break;
    }
    close_file(fd);
    fd = open_at(AT_FDCWD, interpreter);
  }
  if (fd >= 0) {
    close_file(fd);
  }
  return found;
}

enum gw_target gw_target_of(int folder, const char *path) {
  int saved = errno;
  enum gw_target found = target_of(open_at(folder, path));
  errno = saved;
  return found;
}

enum gw_target gw_target_of_open(int fd) {
  char path[] = "/proc/self/fd/0123456789"; /* O_PATH descriptors cannot be read themselves */
  char *digit = path + strlen("/proc/self/fd/");
  int power = 1;
  while (fd / power >= 10) {
    power *= 10;
  }
  for (; power > 0; power /= 10) {
    *digit++ = (char)('0' + fd / power % 10);
  }
  *digit = 0;
  return fd < 0 ? GW_TARGET_LOADS : gw_target_of(AT_FDCWD, path);
}
