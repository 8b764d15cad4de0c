/* The CPU time that control groups allow, from files as the kernel writes them. */
#include "../../cpu/quota.h"
#include "harness.h"

static char mount_point[64];

/* A file below the mount, and the folders above it. */
static void put(const char *name, const char *text) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", mount_point, name);
  for (char *slash = path + strlen(mount_point) + 1; (slash = strchr(slash, '/')) != NULL;
       slash++) {
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
  }
  FILE *file = fopen(path, "we");
  CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void begin(void) {
  strcpy(mount_point, "/tmp/giveway-test-XXXXXX");
  CHECK(mkdtemp(mount_point) != NULL);
}

static void no_group_no_limit(void) {
  begin();
  CHECK(gw_quota_of("0::/\n", mount_point) == UINT32_MAX);
  CHECK(gw_quota_of("", mount_point) == UINT32_MAX);
  put("a/cpu.max", "max 100000\n");
  CHECK(gw_quota_of("0::/a\n", mount_point) == UINT32_MAX);
}

static void part_of_a_cpu_counts_as_one(void) {
  begin();
  put("pod/box/cpu.max", "30000 100000\n");
  CHECK(gw_quota_of("0::/pod/box\n", mount_point) == 1);
  put("pod/box/cpu.max", "250000 100000\n");
  CHECK(gw_quota_of("0::/pod/box\n", mount_point) == 3);
}

static void the_smallest_quota_above_counts(void) {
  begin();
  put("pod/cpu.max", "200000 100000\n");
  put("pod/box/cpu.max", "400000 100000\n");
  CHECK(gw_quota_of("0::/pod/box\n", mount_point) == 2);
  CHECK(gw_quota_of("0::/pod/box/inner\n", mount_point) == 2);
}

static void the_mount_itself_in_a_container(void) {
  begin();
  put("cpu.max", "150000 100000\n");
  CHECK(gw_quota_of("0::/\n", mount_point) == 2);
  CHECK(gw_quota_of("0::/../elsewhere\n", mount_point) == 2);
}

static void groups_of_the_first_version(void) {
  begin();
  put("cpu,cpuacct/box/cpu.cfs_quota_us", "50000\n");
  put("cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  const char *groups = "5:cpuset:/\n3:cpu,cpuacct:/box\n1:name=systemd:/\n0::/\n";
  CHECK(gw_quota_of(groups, mount_point) == 1);
  put("cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n");
  CHECK(gw_quota_of(groups, mount_point) == UINT32_MAX);
}

static void nonsense_is_no_limit(void) {
  begin();
  put("a/cpu.max", "0 0\n");
  CHECK(gw_quota_of("0::/a\n", mount_point) == UINT32_MAX);
  put("a/cpu.max", "\n");
  CHECK(gw_quota_of("0::/a\nrubbish\n7:cpu\n", mount_point) == UINT32_MAX);
}

static const struct test_case cases[] = {
    {"no group, no limit", no_group_no_limit},
    {"part of a CPU counts as one", part_of_a_cpu_counts_as_one},
    {"the smallest quota above counts", the_smallest_quota_above_counts},
    {"the mount itself, in a container", the_mount_itself_in_a_container},
    {"groups of the first version", groups_of_the_first_version},
    {"nonsense is no limit", nonsense_is_no_limit},
};

RUN_CASES(cases, 60)
