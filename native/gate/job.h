/* Jobs: processes that wait for each other, such as the ranks of a collective job, give way as one,
 * on whatever devices they run. While a gate of one member is closed, those of all are. */
#ifndef GIVEWAY_JOB_H
#define GIVEWAY_JOB_H

#include "state.h"

struct gw_member;

/* Without gw_process.lock, before the first launch: makes the process's task a member of the job
 * that the environment names. NULL: the environment names none, or its page cannot be used. */
struct gw_member *gw_job_join(struct gw_task *task);
/* Without gw_process.lock: the task has lost its row and taken another one. So does its member. */
void gw_job_renew(struct gw_task *task);
/* Under gw_process.lock. The member stays allocated, for a thread may still be in gw_job_turn. */
void gw_job_leave(struct gw_member *member);
/* The task has a turn: all members have it, at the same time. */
void gw_job_turn(struct gw_member *member);
/* Whether another member has begun a collective that this one has not: it spins on its device until
 * this member comes to it, so this member goes on that far, although its gate is closed. For a
 * limited time after that. */
bool gw_job_is_behind(const struct gw_member *member, uint64_t now);

#endif
