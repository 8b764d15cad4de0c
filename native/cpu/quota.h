/* The CPU time that control groups allow this process. */
#ifndef GIVEWAY_CPU_QUOTA_H
#define GIVEWAY_CPU_QUOTA_H

#include <stdint.h>

/* The CPUs' worth of time, rounded up; UINT32_MAX: no limit. */
uint32_t gw_read_quota(void);
/* The same from other files: the text of /proc/self/cgroup, and the folder that is mounted at
 * /sys/fs/cgroup. */
uint32_t gw_quota_of(const char *groups, const char *mount);

#endif
