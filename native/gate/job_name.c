#include "job_name.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t mix(uint64_t hash, const char *text) { /* FNV-1a */
  for (; text != NULL && *text != '\0'; text++) {
    hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
  }
  return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

bool gw_job_name(char *name, size_t size) {
  const char *given = getenv("GIVEWAY_JOB"), *run = getenv("TORCHELASTIC_RUN_ID");
  if (given != NULL) {
    snprintf(name, size, "%s", given);
    return *given != '\0';
  }
  if (run == NULL) {
    return false;
  }
  /* torchrun calls a run "none" where its user does not name it. */
  uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), run);
  hash = mix(mix(hash, getenv("MASTER_ADDR")), getenv("MASTER_PORT"));
  snprintf(name, size, "torchrun-%016lx", (unsigned long)hash);
  return true;
}
