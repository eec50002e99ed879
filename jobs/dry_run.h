/* dry_run.h - what pmf train --dry-run tells: all settings, sizes, the bytes of a rank and of a checkpoint, and the time. */
#ifndef JOBS_DRY_RUN_H
#define JOBS_DRY_RUN_H
#include "jobs/trainer.h"

/* COLLECTIVE over t->w->comm; t as trainer_open left it. On rank 0's standard output. Errors: STATUS_NOMEM. */
int dry_run_tell(struct trainer *t);
#endif
