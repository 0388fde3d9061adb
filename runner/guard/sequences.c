/*
 * Sequences, which no rollback takes back: no number may be handed out twice.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ after a rollback */

/* Others may have taken numbers before the run set the sequence back: the last that its column holds; NULL where it
 * belongs to no column of integers. */
static bool number_in_use(struct run *run, const struct sequence_value *was, char **number, struct err *err)
{
	cleanup_free char *oid = mem_fmt("%" PRId64, was->oid);
	cleanup_rows struct rows *owner = NULL;

	*number = NULL;
	if (!db_query(run->db,
	              "SELECT pg_catalog.format('SELECT pg_catalog.%s(%I)::text FROM %I.%I', $2::text, "
	              "a.attname, "
	              "n.nspname, c.relname)"
	              " FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.refobjid"
	              " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	              " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid"
	              " WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = $1::oid"
	              " AND d.refclassid = d.classid AND d.deptype IN ('a', 'i')"
	              " AND a.atttypid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype,"
	              "  'int8'::pg_catalog.regtype)",
	              DB_ARGS(oid, was->descends ? "min" : "max"), &owner, err))
		return false;
	return rows_count(owner) != 1 || db_value(run->db, rows_get(owner, 0, 0), DB_NO_ARGS, number, err);
}

/* To where it stood, or to the last number in use, whichever is further on. */
static bool put_back(struct run *run, const struct sequence_value *was, struct err *err)
{
	int64_t to = strtoll(was->value, NULL, 10);
	bool called = strstr(was->value, ",t") != NULL;
	cleanup_free char *used = NULL;

	if (!number_in_use(run, was, &used, err))
		return false;
	int64_t number = used ? strtoll(used, NULL, 10) : to;
	if (was->descends ? number < to : number > to) {
		to = number;
		called = true;
	}
	if (!db_runf(run->db, err, "SELECT pg_catalog.setval(%L::pg_catalog.regclass, %lld, %L)", was->name,
	             (long long)to, called ? "true" : "false"))
		return err_wrap(err, "cannot put sequence %s back", was->name);
	log_info("sequence %s was set back by the run and stands at %lld again", was->name, (long long)to);
	return true;
}

/* setval() survives a rollback (proof.md section 2): a sequence that stands behind where it stood is put back. */
bool run_put_sequences_back(struct run *run, struct err *err)
{
	cleanup_counters struct counters now = { .n_relations = 0 };

	if (!counters_read(run->db, &now, err))
		return false;
	for (size_t b = 0, n = 0; b < run->before.counters.n_sequences && n < now.n_sequences;) {
		const struct sequence_value *was = &run->before.counters.sequences[b],
					    *is = &now.sequences[n];
		if (was->oid != is->oid) {
			was->oid < is->oid ? b++ : n++;
			continue;
		}
		b++, n++;
		if (was->value && is->value && own_share_has_sequence(&run->own, was->oid) &&
		    sequence_is_behind(was, is) && !put_back(run, was, err))
			return false;
	}
	return true;
}

bool run_sequences_are_back(struct run *run, struct err *why)
{
	cleanup_counters struct counters now = { .n_relations = 0 };

	if (!counters_read(run->db, &now, why))
		return false;
	for (size_t b = 0, n = 0; b < run->before.counters.n_sequences; b++) {
		const struct sequence_value *was = &run->before.counters.sequences[b];
		while (n < now.n_sequences && now.sequences[n].oid < was->oid)
			n++;
		if (n == now.n_sequences || now.sequences[n].oid != was->oid || !now.sequences[n].value ||
		    !was->value || strcmp(now.sequences[n].value, was->value) != 0)
			return err_set(why, ERR_REFUSED, "sequence %s does not stand where it stood",
			               was->name);
	}
	return true;
}

/* ------------------------------------------------------------------ into the candidate */

static const char *name_before(const struct run *run, int64_t oid)
{
	for (size_t i = 0; i < run->before.counters.n_sequences; i++)
		if (run->before.counters.sequences[i].oid == oid)
			return run->before.counters.sequences[i].name;
	return NULL; /* younger than the backup */
}

/* Where it stands in the live database, whatever it is called there; *value is NULL when it is gone. */
static bool read_live(struct run *run, int64_t oid, char **value, bool *called, struct err *err)
{
	cleanup_free char *id = mem_fmt("%" PRId64, oid), *name = NULL;
	cleanup_rows struct rows *r = NULL;

	*value = NULL;
	if (!db_value(run->db,
	              "SELECT (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM "
	              "pg_catalog.pg_class c"
	              " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	              " WHERE c.oid = $1::oid AND c.relkind = 'S')",
	              DB_ARGS(id), &name, err))
		return false;
	if (!name)
		return true;
	cleanup_free char *sql = mem_fmt("SELECT last_value, is_called FROM %s", name);
	if (!db_query(run->db, sql, DB_NO_ARGS, &r, err))
		return false;
	*value = mem_strdup(rows_get(r, 0, 0));
	*called = rows_get(r, 0, 1)[0] == 't';
	return true;
}

/* The number that comes next is compared; a sequence that cycles has no order, and is set as it stands. */
static bool advance(struct db *candidate, const char *name, const char *value, bool called, struct err *err)
{
	const char *is_called = called ? "true" : "false";

	return db_runf(candidate, err,
	               "SELECT pg_catalog.setval(q.seqrelid::pg_catalog.regclass, %s, %s)"
	               " FROM %s s, pg_catalog.pg_sequence q WHERE q.seqrelid = %L::pg_catalog.regclass"
	               " AND (q.seqcycle OR pg_catalog.sign(q.seqincrement::numeric) *"
	               " (%s::numeric + CASE WHEN %s THEN q.seqincrement ELSE 0 END - s.last_value::numeric"
	               "  - CASE WHEN s.is_called THEN q.seqincrement ELSE 0 END) > 0)",
	               value, is_called, name, name, value, is_called) ||
	       err_wrap(err, "cannot advance sequence %s", name);
}

/*
 * A sequence that this run used may have been used by others meanwhile, which nobody can tell apart: no number that
 * the live database has handed out may be handed out again, so the candidate's goes on where that stood.
 */
bool run_advance_sequences(struct run *run, struct db *candidate, struct err *err)
{
	for (size_t i = 0; i < run->own.n_sequences; i++) {
		const char *name = name_before(run, run->own.sequences[i]);
		cleanup_free char *value = NULL;
		bool called = false;

		if (!name)
			continue;
		if (!read_live(run, run->own.sequences[i], &value, &called, err) ||
		    (value && !advance(candidate, name, value, called, err)))
			return false;
	}
	return true;
}
