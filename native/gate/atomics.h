/* Which memory order each field of the page needs, and why. (Code off the way of a launch also uses
 * the default, sequentially consistent order where less would do; no reader relies on that.)
 *
 * Relaxed is enough, with GW_READ, GW_WRITE and GW_ADD, for fields that are read on their own. Rows
 * are consistent one field at a time: with an old value, a reader decides as a moment ago.
 * - header: rows_used, by_daemon, joined, decider, beat_ns, next_ticket. The page's lock orders the
 *   writes for other holders; without the lock they are looked at again within 20 ms.
 * - row.holder, header.holder: who finds a holder dead, looks again under the lock.
 * - row, written under the lock: priority, lent, flags, decided, quantum_end_ns, outranked,
 *   activations, preemptions, pid, joined_ns, grace_end_ns, width, cores.
 * - row, written by its task: beat_ns, held_ns, held, operators, stopped_ns, waiters, memory_peak:
 *   times and counts.
 * - header.memory, header.memory_context, row.memory_limit, row.memory_reserve: each is one number.
 * - row.ticket: a task compares it with its own. A row that was given away is noticed at the next
 *   look; until then the gate is another task's, which delays a launch and never
 *   blocks it for good.
 *
 * Sequentially consistent, on both sides, where each thread writes one field and then reads the
 * other, so that at least one of them sees the other's write. On x86 such a read costs no more than
 * a relaxed one. On aarch64 a relaxed read may be done before an earlier atomic addition is
 * visible.
 * - row.launches, task.late, task.in_flight and task.active: a launch counts itself, then reads
 *   `active`; the watcher clears `active`, then reads the counts.
 * - task.in_flight, or a hook's list of threads, and row.gate: a launch counts itself, or registers
 *   its thread, then reads the gate; the watcher reads that the gate is closed, then the count and
 *   the list.
 * - row.gate and its sleepers: the kernel compares the gate before a thread falls asleep, and a
 *   transition always wakes the threads after it has written the gate.
 * - row.flags of a job's member and the thread that sleeps on them: as the gate and its sleepers.
 * - row.closed_ns and row.gate: a transition writes the time before the gate, so that a thread that
 *   sees a closed gate sees since when it is closed.
 * - header.events and header.decider: a transition counts, then wakes the daemon; the daemon says
 *   that it decides, then looks at all rows.
 * - row.memory: a task adds its allocation, then reads what others have. Of two that take the last
 *   bytes at once, at least one is refused.
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
