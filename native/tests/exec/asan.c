/* A library in the place of AddressSanitizer's runtime: it ends a program in which another library
 * comes first. */
#include <link.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int first(struct dl_phdr_info *info, size_t size, void *name) {
  (void)size;
  if (info->dlpi_name[0] == 0 || strncmp(info->dlpi_name, "linux-", strlen("linux-")) == 0) {
    return 0; /* the program itself, and the kernel's own library */
  }
  *(const char **)name = info->dlpi_name;
  return 1;
}

__attribute__((constructor)) static void check(void) {
  const char *name = NULL, *options = getenv("ASAN_OPTIONS");
  if (options != NULL && strstr(options, "verify_asan_link_order=0") != NULL) {
    return;
  }
  dl_iterate_phdr(first, &name);
  if (name == NULL || strstr(name, "libasan.so") == NULL) {
    _exit(1);
  }
}

__attribute__((visibility("default"))) void needed(void) {}
