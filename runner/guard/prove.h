/*
 * prove.h - what the parts of a proof share.  Private to runner/guard/.
 */
#ifndef RUNNER_GUARD_PROVE_H
#define RUNNER_GUARD_PROVE_H

#include "runner/guard/proofs.h"
#include "runner/guard/run.h"

/* A scratch database with the ledger in it, in which revisions are tried: run->scratch and run->ledger. */
struct proving {
	struct run *run;
	int64_t sample; /* rows a table; 0: none */
	bool has_rows;  /* some were put in: an upgrade that fails may fail for them */
	bool spoilt;    /* it is not what its revisions made of it: made anew for the next one */
	bool may_retry; /* what failed may have failed for the rows */
	bool stopped;   /* there is no scratch database to go on with */
};

/* prove_step.c */
/* What was found goes to the proof.  False only when nobody can go on: the connection is lost, or a signal came. */
MUST_CHECK bool prove_revision(struct proving *p, const struct revision *r, struct proof *out, struct err *err);
/* One unit in the scratch database, refused where it would act beyond it.  Shared with the rehearsal. */
MUST_CHECK bool prove_unit(struct run *run, const struct step *step, const struct statement_watch *watch,
                           struct exec_report *report, struct err *err);

/* exec_reach_question's answer: ERR_REFUSED when there is a row. */
MUST_CHECK bool prove_stays_inside(const struct rows *rows, struct err *err);

/* prove_data.c: rows to try a revision with */
/* N rows for each table that has none, as far as its constraints take them; the others are named in `notes`. */
MUST_CHECK bool prove_fill(struct db *db, const char *version_table, int64_t n, struct strv *notes, struct err *err);
/* {table: {rows, all, columns: {column: digest}}}: digests that do not depend on the order of the rows. */
MUST_CHECK bool prove_content(struct db *db, const char *version_table, json_t **out, struct err *err);
/* What of `before` is not in `after`: "column public.t.c", or "table public.t" where no column alone tells. */
void prove_content_lost(const json_t *before, const json_t *after, struct strv *lost);

#endif
