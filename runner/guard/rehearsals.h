/*
 * rehearsals.h - the last rehearsal of a database's upgrade, kept for the plan.
 *
 * <state_dir>/rehearsals/<database, percent-encoded>.json; each revision with the digest of what was run, so that a plan
 * quotes no rehearsal of another text.  In the state folder, as proofs are (proofs.h).
 */
#ifndef RUNNER_GUARD_REHEARSALS_H
#define RUNNER_GUARD_REHEARSALS_H

#include "base/err.h"
#include "base/json.h"
#include "migrations/migrations.h"

#include <stdio.h>

/* The longest that each lock was held and the largest of each rewrite, of all revisions or, with a plan, of its own. */
struct rehearsal_sums {
	double seconds;
	int64_t wal_bytes, temp_bytes;
	json_t *exclusive; /* {relation: seconds}: ACCESS EXCLUSIVE */
	json_t *rewrites;  /* {relation: bytes}: tables and materialized views */
	double estimated;  /* seconds in the live database; -1: there is no estimate */
	json_t *held;      /* as `exclusive`, estimated; empty without one */
};
/* false: the plan has a step that was not rehearsed as it is, named in *missing (borrowed). */
bool rehearsal_sum(const json_t *rehearsal, const struct plan *plan, struct rehearsal_sums *out, const char **missing);
/* What it has of the step as that is now; NULL: nothing.  Borrowed. */
const json_t *rehearsal_step(const json_t *rehearsal, const struct step *step);
/* It has all of the plan's steps. */
bool rehearsal_has(const json_t *rehearsal, const struct plan *plan);
/* It ended with a failure of one of the plan's steps, as that is now. */
bool rehearsal_fails(const json_t *rehearsal, const struct plan *plan);
void rehearsal_sums_clear(struct rehearsal_sums *s);
/* "12 s, 1.2 GiB of WAL; ACCESS EXCLUSIVE on public.t for 8 s; rewrites public.t (1.2 GiB)" */
void rehearsal_print(const struct rehearsal_sums *s, FILE *out);
/* "1 min 58 s; ACCESS EXCLUSIVE on public.t for 1 min 20 s", or why there is no estimate */
void rehearsal_print_estimate(const json_t *rehearsal, const struct rehearsal_sums *s, FILE *out);

MUST_CHECK bool rehearsals_keep(const char *state_dir, const char *database, const json_t *rehearsal, struct err *err);
/* NULL: there is none that can be read.  The caller's. */
json_t *rehearsals_find(const char *state_dir, const char *database);

#endif
