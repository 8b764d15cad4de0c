/* kinds KERNEL...: launches the first kernel all the time, ten at a time, and with each line on
 * stdin the next one; until stdin ends. */
#include <poll.h>
#include <unistd.h>

#include "../../native/programs/timed_kernel.h"

static void launch(void) { cuLaunchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL); }

int main(int count, char **kernels) {
  CUcontext context;
  struct pollfd input = {.fd = 0, .events = POLLIN};
  int at = 1;
  char line;
  (void)calibrate;
  (void)sleep_until;
  if (count < 2 || cuInit(0) != 0 || cuDevicePrimaryCtxRetain(&context, 0) != 0 ||
      cuCtxSetCurrent(context) != 0 || load(&kernel, "", kernels[at]) != 0) {
    return 1;
  }
  puts("ready");
  fflush(stdout);
  for (;;) {
    for (int i = 0; i < 10; i++) {
      launch();
    }
    cuStreamSynchronize(stream);
    if (poll(&input, 1, 0) > 0) {
      if (read(0, &line, 1) != 1) {
        return 0;
      }
      at = at + 1 < count ? at + 1 : at;
      load(&kernel, "", kernels[at]);
    }
  }
}
