/* For how long idle workers of libgomp spin: long while their program has the device to itself. Run
 * with libgiveway-cpu.so preloaded. */
#include "harness.h"

#include <link.h>
#include <omp.h>
#include <unistd.h>

#define ALONE 300007u
#define AS_ASKED 100003u /* CMake runs this program with it as well */

struct search {
  uint64_t value, *found;
  int matches;
};

static int look_into_libgomp(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *search = data;
  for (int i = 0; strstr(info->dlpi_name, "libgomp") != NULL && i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0) {
      uint64_t *words = (uint64_t *)((info->dlpi_addr + segment->p_vaddr + 7) & ~(uintptr_t)7);
      for (size_t n = 0; n < segment->p_memsz / 8 - 1; n++) {
        if (words[n] == search->value) {
          search->found = &words[n];
          search->matches++;
        }
      }
    }
  }
  return 0;
}

/* Where libgomp keeps this count. */
static const volatile uint64_t *place_of(uint64_t count) {
  struct search search = {.value = count};
  dl_iterate_phdr(look_into_libgomp, &search);
  CHECK(search.matches == 1);
  return search.found;
}

static void compute(void) {
#pragma omp parallel num_threads(2)
  CHECK(omp_get_num_threads() == 2);
}

static void is_short_in_company(void) {
  compute();
  const volatile uint64_t *count = place_of(ALONE);
  gw_task *other = join(open_page(), 0);
  CHECK(*count == ALONE); /* before a region only */
  compute();
  CHECK(*count >= 10000 && *count < ALONE);
  gw_leave(other);
  compute();
  CHECK(*count == ALONE);
}

static void a_killed_neighbour_is_no_company(void) {
  gw_page *page = open_page();
  pid_t pid = fork();
  if (pid == 0) {
    join(page, 0);
    for (;;) {
      pause();
    }
  }
  struct gw_task_info infos[4];
  while (gw_tasks(page, infos, 4) != 1) {
    sleep_ms(1);
  }
  compute();
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
  CHECK(gw_tasks(page, infos, 4) == 1); /* reaps the dead task */
  compute();
  place_of(ALONE);
}

static void stays_as_asked(void) {
  const volatile uint64_t *count = place_of(AS_ASKED);
  compute();
  gw_task *other = join(open_page(), 0);
  compute();
  gw_leave(other);
  compute();
  CHECK(*count == AS_ASKED);
}

static const struct test_case ours[] = {
    {"is short in company", is_short_in_company},
    {"a killed neighbour is no company", a_killed_neighbour_is_no_company},
};
static const struct test_case theirs[] = {{"stays as asked", stays_as_asked}};

int main(void) {
  const char *count = getenv("GOMP_SPINCOUNT"); /* libgomp has read it by now */
  CHECK(count != NULL);
  if (strtoul(count, NULL, 10) == AS_ASKED) {
    return run_case(&theirs[0], 240);
  }
  return run_case(&ours[0], 240) | run_case(&ours[1], 240);
}
