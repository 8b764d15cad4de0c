/* Several processes at a time on one device. Their kernels slow each other down, by a factor for
 * each pair of kinds. GIVEWAY_FAKE_BESIDE states the factors: light*train=1.03,heavy*train=2.5
 * means that a kernel of kind `heavy` takes 2.5 times as long while another process runs one of
 * kind `train`. Factors that are not stated are 1. The name of a kernel states its kind:
 * ns_200000_heavy. */
#include <stdlib.h>
#include <string.h>

#include "fake.h"

bool beside_on(void) { return getenv("GIVEWAY_FAKE_BESIDE") != NULL; }

static uint32_t hash(const char *text, size_t size) { /* FNV-1a */
  uint32_t value = 2166136261u;
  for (size_t i = 0; i < size; i++) {
    value = (value ^ (unsigned char)text[i]) * 16777619u;
  }
  return value | 1; /* 0: no kernel */
}

uint32_t beside_kind(const char *name) {
  const char *kind = strncmp(name, "ns_", 3) == 0 ? strchr(name + 3, '_') : NULL;
  kind = kind != NULL ? kind + 1 : "";
  return hash(kind, strlen(kind));
}

/* The environment is read at each call: a test may change it. */
double beside_factor(uint32_t kind, uint32_t other) {
  for (const char *at = getenv("GIVEWAY_FAKE_BESIDE"); at != NULL && *at != '\0';) {
    size_t mine = strcspn(at, "*"), both = strcspn(at, "="), all = strcspn(at, ",");
    if (mine < both && both < all && hash(at, mine) == kind &&
        hash(at + mine + 1, both - mine - 1) == other) {
      return strtod(at + both + 1, NULL);
    }
    at += all + (at[all] == ',');
  }
  return 1;
}
