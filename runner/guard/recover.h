/*
 * recover.h - what the parts of `recover` share.  Private to runner/guard/.
 *
 *     recover.c       which run, taking it over, the end
 *     recover_load.c  struct run as the journal tells it: what was there before, what is ours
 *     recover_ways.c  what the server says is true, and the way that follows from it
 */
#ifndef RUNNER_GUARD_RECOVER_H
#define RUNNER_GUARD_RECOVER_H

#include "runner/guard/run.h"

/* Fills the run from the lines of its journal; `changed`: it got as far as to change the database. */
MUST_CHECK bool recover_load(struct run *run, const json_t *lines, bool changed, struct err *err);

/* The live name is the restored database's: the run was ended after its swap. */
MUST_CHECK bool recover_was_swapped(struct run *run, bool *swapped, struct err *err);
/* Databases that a restore left half made. */
void recover_drop_leftovers(struct run *run);
/* A revision that was cut off between the pieces that it commits one by one is finished first, where that can be. */
void recover_resume(struct run *run, const json_t *lines);
/* Goes the way, and fills the report's outcome. */
void recover_go(struct run *run, enum recover_way way, bool changed);
/* The same for a run that was ended between its swap and the line that says so. */
void recover_keep_swapped(struct run *run);

#endif
