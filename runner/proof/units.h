/*
 * units.h - what each committed transaction of a run did, kept in the database with it: table ripcord.unit.
 *
 * A row is written in the transaction that it tells of, so it is there exactly when that transaction was
 * committed, whatever became of the runner, its state folder or the server; and the row's own xmin is the
 * transaction's id, `ids` are those of its subtransactions where they are known.  It holds the transaction's share (own_share, counters.h) and, for each table from
 * before the run whose old rows the transaction has hidden (updated, deleted, rewritten, dropped), what the server's
 * counters said of it then and how many other sessions might have had counts that they had not yet reported.
 * docs/decisions/0005-evidence-of-rows.md.
 */
#ifndef RUNNER_PROOF_UNITS_H
#define RUNNER_PROOF_UNITS_H

#include "runner/proof/counters.h"

/* The table; in the transaction that makes ripcord's own tables. */
extern const char units_create_sql[];

struct unit_seal {
	const char *run;
	const struct counters *before; /* of the run; tables that came later hide nothing from before */
	bool fenced;                   /* others were fenced off and counted, and had written nothing */
};

/*
 * The question before COMMIT: own_share_question()'s, in the same shape, which also writes the row.  It does not read
 * what an earlier reading in the same transaction has cached only if `SELECT FROM pg_stat_clear_snapshot()` goes before it.
 * *out is the caller's.
 */
MUST_CHECK bool unit_seal_question(struct db *db, const struct unit_seal *seal, char **out, struct err *err);

/*
 * Rows that were written where an exception could be caught have the id of a subtransaction.  A section that may have some
 * (text of its own, or a function of the database) asks this after the question above, in its transaction block: it adds
 * the ids to the row if nobody else has a transaction with an id at that moment, and the role may see that
 * (pg_read_all_stats).  Else they stay unknown, and such rows look like others'.  Five statements that answer nothing;
 * the caller's.
 */
char *unit_ids_question(const char *run);
/* Some function of the database may begin subtransactions. */
MUST_CHECK bool units_may_nest(struct db *db, bool *out, struct err *err);

/* A table of before the run that a unit may have hidden rows of. */
struct hidden {
	int64_t nr;        /* of the unit, in the order of their commits */
	int64_t oid, filenode; /* as the unit left it; 0: it dropped the table */
	struct tuples counted; /* the server's counters then, less what the run's units before this one had written */
	struct tuples own;     /* what this unit wrote */
	int64_t others;    /* sessions that might have had counts of their own still to report */
	char *since;       /* counters_since() then */
	bool fenced;
};

struct units {
	size_t n;               /* committed */
	struct own_share share; /* of all of them */
	struct hidden *hidden;  /* sorted by oid, then nr */
	size_t n_hidden;
};

/* Those of this run; none where the table is missing. */
MUST_CHECK bool units_read(struct db *db, const char *run, struct units *out, struct err *err);
void units_clear(struct units *u);
#define cleanup_units __attribute__((cleanup(units_clear)))

#endif
