#include "kernel_state.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

char gw_kernel_state(const char *path) {
  char text[512];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return '\0';
  }
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size > 0 ? size : 0] = '\0';
  const char *name_end = strrchr(text, ')'); /* a name may have parentheses and spaces */
  return name_end != NULL && name_end[1] == ' ' ? name_end[2] : '\0';
}
