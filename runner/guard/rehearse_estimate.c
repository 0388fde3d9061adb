#include "runner/guard/rehearse_estimate.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

/* A relation below that takes as long as an empty one: what a statement costs in any case outweighs its pages. */
enum { LEAST_BYTES = 128 << 10 };

/* ------------------------------------------------------------------ sizes */

/* Asking for a size waits for whoever has the relation to himself: the filter comes first. */
static const char sizes_sql[] =
	"SELECT r.name, CASE WHEN r.relkind = 'i' THEN pg_catalog.pg_relation_size(r.oid)"
	"  ELSE pg_catalog.pg_total_relation_size(r.oid) END"
	" FROM (SELECT c.oid, c.relkind, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name"
	"  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	"  WHERE c.relkind IN ('r', 'm', 'i') AND c.relpersistence <> 't'"
	"  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') OFFSET 0) r"
	" WHERE $1::pg_catalog.text IS NULL"
	"  OR r.name IN (SELECT pg_catalog.json_array_elements_text($1::pg_catalog.json))";

bool rehearse_sizes(struct db *db, const char *names, json_t **out, struct err *err)
{
	cleanup_rows struct rows *r = NULL;
	int64_t database;

	if (!db_int(db, "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", DB_NO_ARGS,
	            &database, err) ||
	    !db_query(db, sizes_sql, DB_ARGS(names), &r, err))
		return err_wrap(err, "cannot read the sizes of its relations");
	json_t *relations = json_object();
	for (size_t i = 0; i < rows_count(r); i++)
		if (rows_get(r, i, 1)) /* it may have been dropped meanwhile */
			json_put(relations, rows_get(r, i, 0), json_integer(rows_int(r, i, 1)));
	*out = json_pack("{s:I, s:o}", "database", (json_int_t)database, "relations", relations);
	return true;
}

static double bytes_of(const json_t *sizes, const char *relation)
{
	const json_t *bytes = json_object_get(json_object_get(sizes, "relations"), relation);

	return bytes ? json_number_value(bytes) : -1;
}

static double ratio(double copy, double live)
{
	double whole = copy > LEAST_BYTES ? copy : LEAST_BYTES;

	return copy < 0 || live < whole ? 1 : live / whole;
}

char *rehearse_touched(const json_t *rehearsal)
{
	cleanup_json json_t *set = json_object(), *names = json_array();
	const json_t *revision, *statement, *name, *value;
	const char *key;
	size_t i, k, j;

	json_array_foreach(json_object_get(rehearsal, "revisions"), i, revision)
	{
		json_array_foreach(json_object_get(revision, "statements"), k, statement)
		{
			json_array_foreach(json_object_get(statement, "touches"), j, name)
				json_put(set, json_string_value(name), json_true());
		}
	}
	json_object_foreach(set, key, value) json_push(names, json_str(key));
	return json_canonical(names);
}

/* ------------------------------------------------------------------ the estimate */

struct sizes {
	const json_t *copy, *live;
	json_t *relations; /* {name: {relation, copy_bytes, live_bytes, ratio}} of those that counted */
};

static double seconds_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static double ratio_of(struct sizes *s, const char *relation)
{
	double copy = bytes_of(s->copy, relation), live = bytes_of(s->live, relation),
	       times = ratio(copy, live);

	if (!json_object_get(s->relations, relation))
		json_put(s->relations, relation,
		         json_pack("{s:o, s:o, s:o, s:f}", "relation", json_str(relation), "copy_bytes",
		                   copy < 0 ? json_null() : json_integer((json_int_t)copy), "live_bytes",
		                   live < 0 ? json_null() : json_integer((json_int_t)live), "ratio", times));
	return times;
}

/* Of one of which nobody saw what it works on, that may be all. */
static double ratio_of_statement(struct sizes *s, const json_t *statement)
{
	const json_t *touches = json_object_get(statement, "touches"), *name;
	double most = 1;
	size_t i;

	if (!json_is_array(touches))
		return ratio(seconds_of(s->copy, "database"), seconds_of(s->live, "database"));
	json_array_foreach(touches, i, name)
	{
		double one = ratio_of(s, json_string_value(name));
		most = one > most ? one : most;
	}
	return most;
}

static void keep_longest(json_t *sums, const char *relation, double value)
{
	const json_t *known = json_object_get(sums, relation);

	if (!known || json_number_value(known) < value)
		json_put(sums, relation, json_real(value));
}

/* What was between the statements and behind them (the verify, the COMMIT) is worth the largest of the ratios. */
static double stretch(const json_t *statements, size_t from, size_t to, double seconds, double most)
{
	double sum = 0;

	for (size_t i = from; i <= to && i < json_array_size(statements); i++) {
		const json_t *one = json_array_get(statements, i);
		sum += seconds_of(one, "estimated_seconds");
		seconds -= seconds_of(one, "seconds");
	}
	return sum + (seconds > 0 ? seconds * most : 0);
}

static void estimate_locks(json_t *revision, double most, json_t *exclusive)
{
	const json_t *statements = json_object_get(revision, "statements");
	json_t *lock;
	size_t i;

	json_array_foreach(json_object_get(revision, "locks"), i, lock)
	{
		size_t from = (size_t)json_integer_value(json_object_get(lock, "from")),
		       to = (size_t)json_integer_value(json_object_get(lock, "to"));
		double seconds = stretch(statements, from, to, seconds_of(lock, "seconds"), most);
		json_put(lock, "estimated_seconds", json_real(seconds));
		if (strcmp(json_string_value(json_object_get(lock, "mode")), "ACCESS EXCLUSIVE") == 0)
			keep_longest(exclusive, json_string_value(json_object_get(lock, "relation")),
			             seconds);
	}
}

static double estimate_revision(struct sizes *s, json_t *revision, json_t *longest)
{
	json_t *statements = json_object_get(revision, "statements"), *exclusive = json_object(), *statement;
	const json_t *value;
	const char *relation;
	double most = 1;
	size_t i;

	json_array_foreach(statements, i, statement)
	{
		double times = ratio_of_statement(s, statement);
		most = times > most ? times : most;
		json_put(statement, "ratio", json_real(times));
		json_put(statement, "estimated_seconds", json_real(seconds_of(statement, "seconds") * times));
	}
	estimate_locks(revision, most, exclusive);
	double seconds =
		stretch(statements, 0, json_array_size(statements), seconds_of(revision, "seconds"), most);
	json_object_foreach(exclusive, relation, value)
		keep_longest(longest, relation, json_number_value(value));
	json_put(revision, "estimate", json_pack("{s:f, s:o}", "seconds", seconds, "exclusive", exclusive));
	return seconds;
}

void rehearse_estimate(json_t *rehearsal, const json_t *copy, const json_t *live)
{
	cleanup_json json_t *counted = json_object();
	struct sizes s = { .copy = copy, .live = live, .relations = counted };
	json_t *relations = json_array(), *exclusive = json_object(), *revision, *one;
	double seconds = 0;
	const char *name;
	size_t i;

	json_array_foreach(json_object_get(rehearsal, "revisions"), i, revision) seconds +=
		estimate_revision(&s, revision, exclusive);
	json_object_foreach(counted, name, one) json_push(relations, json_incref(one));
	json_put(rehearsal, "estimate",
	         json_pack("{s:f, s:o, s:o}", "seconds", seconds, "exclusive", exclusive, "relations",
	                   relations));
}
