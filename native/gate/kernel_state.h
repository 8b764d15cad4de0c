/* What a process or a thread does, as the kernel sees it. */
#ifndef GIVEWAY_KERNEL_STATE_H
#define GIVEWAY_KERNEL_STATE_H

/* The letter of the state in a stat file under /proc; NUL: it is gone, or may not be read. */
char gw_kernel_state(const char *path);

#endif
