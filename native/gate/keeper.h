/* The keeper: a thread that sleeps for as long as this process lives, one for each page. The words
 * that it keeps hold its id, and when it dies, the kernel marks each as a robust futex. */
#ifndef GIVEWAY_KEEPER_H
#define GIVEWAY_KEEPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_THREAD_IDS (UINT32_C(1) << 22) /* the kernel's limit; FUTEX_OWNER_DIED is above it */

struct gw_keeper;

/* For words in that memory; NULL: the thread cannot start, see errno. */
struct gw_keeper *gw_keeper_start(void *memory, size_t size);
/* In a forked child, which has no keeper thread. */
void gw_keeper_forget(struct gw_keeper *keeper);

/* The caller orders calls about one keeper. */
void gw_keep(struct gw_keeper *keeper, _Atomic uint32_t *word);
/* Keeps the word if no living process keeps it already. */
bool gw_keep_if_free(struct gw_keeper *keeper, _Atomic uint32_t *word);
/* The word is not this keeper's any more, whatever its value. */
void gw_keep_no_longer(struct gw_keeper *keeper, _Atomic uint32_t *word);

/* Whether a living process keeps a word of this value. Nonsense counts as no. */
static inline bool gw_is_kept(uint32_t value) { return value - 1 < GW_THREAD_IDS; }

#endif
