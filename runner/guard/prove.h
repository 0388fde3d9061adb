/*
 * prove.h - what the parts of a proof share.  Private to runner/guard/.
 */
#ifndef RUNNER_GUARD_PROVE_H
#define RUNNER_GUARD_PROVE_H

#include "runner/guard/proofs.h"
#include "runner/guard/run.h"

/* Ordinary tables of people's own, for a query over pg_class c and pg_namespace n: $1 is the version table. */
#define PROVE_OWN_TABLE                                                                                      \
	" n.nspname NOT IN ('pg_catalog', 'information_schema', 'ripcord') AND n.nspname !~ "                \
	"'^pg_(toast|temp)'"                                                                                 \
	" AND c.relpersistence <> 't' AND c.oid IS DISTINCT FROM pg_catalog.to_regclass($1)::pg_catalog.oid" \
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'"      \
	"  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)"

/* A scratch database with the ledger in it, in which revisions are tried: run->scratch and run->ledger. */
struct proving {
	struct run *run;
	int64_t sample; /* rows a table; 0: none */
	bool has_rows;  /* some were put in: an upgrade that fails may fail for them */
	bool spoilt;    /* it is not what its revisions made of it: made anew for the next one */
	bool may_retry; /* what failed may have failed for the rows */
	bool stopped;   /* there is no scratch database to go on with */
	const struct prove_rows *rows; /* of a backup; NULL: all rows are made */
	const char *backup;            /* its id */
	struct strv filled; /* tables that got rows for the revision in hand; with a backup alone, which is put in anew for each */
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
/* N rows for each table that has none, as far as its constraints take them; the others are named in `notes`, and those
 * that got some in `filled`, which may be NULL. */
MUST_CHECK bool prove_fill(struct db *db, const char *version_table, int64_t n, struct strv *filled, struct strv *notes,
                           struct err *err);
MUST_CHECK bool prove_is_empty(struct db *db, const char *table, bool *empty, struct err *err);
/* Rows that a trigger may carry on: a transaction that is rolled back when it reaches beyond its database. */
MUST_CHECK bool prove_insert(struct db *db, const char *sql, struct err *err);
/* {table: {rows, all, columns: {column: digest}}}: digests that do not depend on the order of the rows. */
MUST_CHECK bool prove_content(struct db *db, const char *version_table, json_t **out, struct err *err);
/* What of `before` is not in `after`: "column public.t.c", or "table public.t" where no column alone tells. */
void prove_content_lost(const json_t *before, const json_t *after, struct strv *lost);

/* prove_sample.c: rows of a backup */
struct prove_rows;
/* Takes N rows of each table of a restored backup, which it may write to, so that what refers to others finds them.
 * Borrows the session, and keeps its errors from quoting rows. */
MUST_CHECK bool prove_rows_take(struct db *copy, const char *version_table, int64_t n, struct prove_rows **out,
                                struct err *err);
void prove_rows_free(struct prove_rows *rows); /* NULL is fine */
bool prove_rows_lost(const struct prove_rows *rows);
/* Puts them into the tables that have none, as far as name, columns and constraints agree, and sets sequences on behind
 * those of the backup.  Tables that got some are added to `copied`, the others that are empty named in `notes`. */
MUST_CHECK bool prove_rows_put(const struct prove_rows *rows, struct db *db, const char *version_table,
                               struct strv *copied, struct strv *notes, struct err *err);

#endif
