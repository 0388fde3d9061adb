/*
 * evidence.h - what others wrote since the backup, told by the rows themselves.
 *
 * For where the server's counters (counters.h) cannot tell: the run was killed inside a transaction, whose share
 * nobody can ask any more, or the server crashed and its counters began at zero.  What a crash leaves is the rows:
 *  - a visible row whose xmin is newer than the backup's snapshot and is none of this run's ids was written by others;
 *  - a table has the manifest's count of rows plus what the run's committed units inserted less what they deleted,
 *    else others deleted some (or wrote rows that somebody deleted);
 *  - where a unit updated, deleted or rewrote rows of a table, or dropped it, what others had written to it before may
 *    be hidden: then the unit's own row of ripcord.unit (units.h) has to show that nobody had;
 *  - catalog rows tell of others' DDL in the same way, except that an object which others dropped leaves no row: it
 *    comes back with a restore, and a downgrade's proof sees it.
 * Sequences that others moved forward are no loss: neither way back sets them behind where they stand.
 * As everywhere in the proof, a doubt refuses.  docs/decisions/0005-evidence-of-rows.md.
 */
#ifndef RUNNER_PROOF_EVIDENCE_H
#define RUNNER_PROOF_EVIDENCE_H

#include "runner/proof/counters.h"
#include "runner/proof/units.h"

struct evidence {
	const struct counters *before, *now;
	const char *snapshot;       /* pg_current_snapshot() of the backup: xmin:xmax:xip,... ; NULL: none, a doubt */
	const json_t *rows;         /* the manifest's, "schema.table" -> count; NULL: a doubt */
	int64_t large_objects;      /* how many there were in the snapshot; -1: not known */
	const char *run;
	const struct units *units;
	const struct own_share *own; /* as far as it is known, the aborted part with it */
	int64_t version_table;      /* its OID: a unit changes only rows that are what it read, so it hides nothing there */
	bool built_indexes;         /* statements outside of transactions did: catalog rows about indexes tell nothing */
};

/* others fenced off, and no transaction open on db.  What cannot be read is a doubt in out, not an error. */
MUST_CHECK bool evidence_count(struct db *db, const struct evidence *e, struct foreign_writes *out, struct err *err);

#endif
