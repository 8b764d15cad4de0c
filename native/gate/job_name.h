/* The job of this process, as its environment names it. */
#ifndef GIVEWAY_JOB_NAME_H
#define GIVEWAY_JOB_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* From giveway, or from torchrun, whose processes are a job. False: it is in no job. */
bool gw_job_name(char *name, size_t size);

#endif
