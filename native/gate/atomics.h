/* Which memory order each field of the page needs, and why. (Code off the way of a launch also uses
 * the default, sequentially consistent order where less would do; no reader relies on that.)
 *
 * Relaxed is enough, with GW_READ, GW_WRITE and GW_ADD, for fields that are read on their own. Rows
 * are consistent one field at a time: with an old value, a reader decides as a moment ago.
 * - header: rows_used, by_daemon, joined, decider, beat_ns, next_ticket. The page's lock orders the
 *   writes for other holders; without the lock they are looked at again within 20 ms.
 * - row, written under the lock: priority, lent, owner, flags, decided, quantum_end_ns, outranked,
 *   activations, preemptions, pid, joined_ns, grace_end_ns, width, cores.
 * - row, written by its task: beat_ns, held_ns, held, operators, stopped_ns: times and counts.
 * - row.ticket: a task compares it with its own. A row that was given away is noticed at the next
 *   look; until then the gate is another task's, which delays a launch and never
 *   blocks it for good.
 *
 * Sequentially consistent, on both sides, where each thread writes one field and then reads the
 * other, so that at least one of them sees the other's write:
 * - row.launches and task.active: a launch counts itself, then reads `active`; the watcher clears
 *   `active`, then reads the count. (The read of `active` is relaxed, and row.gate after it: on the
 *   way of a launch, the counting before them is the barrier.)
 * - row.waiters and row.gate: a held thread counts itself, then sleeps if the gate is closed; a
 *   transition writes the gate, then wakes if waiters is not 0.
 * - row.closed_ns and row.gate: a transition writes the time before the gate, so that a thread that
 *   sees a closed gate sees since when it is closed.
 * - header.events and header.decider: a transition counts, then wakes the daemon; the daemon says
 *   that it decides, then looks at all rows.
 * - row.state: written last where a task joins, so that no transition reads half a row.
 *
 * No order: magic and sizes, written before the file gets its name; name and attributes, plain
 * bytes under the lock, which observers copy as they are; the lock itself, which is glibc's. */
#ifndef GIVEWAY_ATOMICS_H
#define GIVEWAY_ATOMICS_H

#include <stdatomic.h>

#define GW_READ(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define GW_WRITE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define GW_ADD(field, value) atomic_fetch_add_explicit(&(field), (value), memory_order_relaxed)

#endif
