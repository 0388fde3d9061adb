#include "runner/proof/counters.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Besides asking, it has the counts flushed as soon as the transaction has ended, since the next one would
 * count them once more; the function came with PostgreSQL 15. */
static const char *flush_at_end(const struct db *db)
{
	return db_server_version(db) >= 150000 ? "pg_catalog.pg_stat_force_next_flush() AS flushed, " : "";
}

/* Kind 'D' stands for the shared catalogs that describe databases. */
static const char tables[] =
	"SELECT k.oid, CASE WHEN k.relisshared THEN 'D' ELSE k.relkind END AS kind FROM pg_catalog.pg_class k"
	" WHERE k.relkind IN ('r', 't', 'm') AND (NOT k.relisshared OR k.oid IN"
	" ('pg_catalog.pg_database'::pg_catalog.regclass, "
	"'pg_catalog.pg_db_role_setting'::pg_catalog.regclass,"
	" 'pg_catalog.pg_shdescription'::pg_catalog.regclass, "
	"'pg_catalog.pg_shseclabel'::pg_catalog.regclass))";

static const char locked[] =
	"SELECT DISTINCT relation FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid()"
	" AND locktype = 'relation' AND mode <> 'AccessShareLock' AND relation >= 16384";

/* Looked up one by one: a join would read all of pg_class, with each revision. */
static const char kind_of_t[] = "(SELECT k.relkind FROM pg_catalog.pg_class k WHERE k.oid = t.oid)";

/* OFFSET 0: each table's three are asked once, and not again for the WHERE. */
static const char counts_of_c[] =
	"LATERAL (SELECT pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) AS inserted,"
	"  pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) AS updated,"
	"  pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) AS deleted OFFSET 0) x"
	" WHERE c.kind IN ('r', 't', 'm', 'D') AND x.inserted + x.updated + x.deleted > 0 OR c.kind = 'S'";

char *own_share_aborted_sql(const struct db *db)
{
	return mem_fmt("SELECT c.oid::int8, c.kind, x.inserted, x.updated, x.deleted FROM %s(%s"
	               " UNION ALL SELECT * FROM (SELECT t.oid, %s AS kind FROM (%s) t(oid)) u WHERE u.kind "
	               "= 'S') c, %s",
	               flush_at_end(db), tables, kind_of_t, locked, counts_of_c);
}

bool own_share_question(struct db *db, char **out, struct err *err)
{
	cleanup_free char *sql = mem_fmt("SELECT pg_catalog.array_agg(t.oid)::text,"
	                                 " (pg_catalog.array_agg(t.oid) FILTER (WHERE t.kind = 'D'))::text"
	                                 " FROM (%s AND k.oid < 16384) t",
	                                 tables);
	cleanup_rows struct rows *catalogs = NULL;

	if (!db_query(db, sql, DB_NO_ARGS, &catalogs, err))
		return err_wrap(err, "cannot read which catalogs there are");
	*out = mem_fmt("SELECT c.oid::int8, c.kind, x.inserted, x.updated, x.deleted FROM %s"
	               "(SELECT t.oid, CASE WHEN t.oid = ANY ('%s'::oid[]) THEN 'D' WHEN t.oid < 16384 THEN "
	               "'r' ELSE %s"
	               " END AS kind FROM pg_catalog.unnest('%s'::oid[] || ARRAY(%s)) AS t(oid)) c, %s",
	               flush_at_end(db), rows_get(catalogs, 0, 1), kind_of_t, rows_get(catalogs, 0, 0),
	               locked, counts_of_c);
	return true;
}

static int compare_oids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

const struct relation_counts *own_share_of(const struct own_share *own, int64_t oid)
{
	return relation_counts_find(own->relations, own->n_relations, oid);
}

bool own_share_has_sequence(const struct own_share *own, int64_t oid)
{
	return own->n_sequences > 0 &&
	       bsearch(&oid, own->sequences, own->n_sequences, sizeof(oid), compare_oids) != NULL;
}

static void add_sequence(struct own_share *own, int64_t oid)
{
	if (own_share_has_sequence(own, oid))
		return;
	own->sequences = mem_grow(own->sequences, own->n_sequences + 1, sizeof(*own->sequences));
	own->sequences[own->n_sequences++] = oid;
	qsort(own->sequences, own->n_sequences, sizeof(*own->sequences), compare_oids);
}

static void add_relation(struct own_share *own, int64_t oid, struct tuples rows)
{
	struct relation_counts *r = (struct relation_counts *)own_share_of(own, oid);

	if (!r) {
		size_t at = 0;
		own->relations = mem_grow(own->relations, own->n_relations + 1, sizeof(*own->relations));
		while (at < own->n_relations && own->relations[at].oid < oid)
			at++;
		r = &own->relations[at];
		memmove(r + 1, r, (own->n_relations++ - at) * sizeof(*r));
		*r = (struct relation_counts){ .oid = oid };
	}
	r->rows.inserted += rows.inserted;
	r->rows.updated += rows.updated;
	r->rows.deleted += rows.deleted;
}

bool own_share_add(struct own_share *own, const struct rows *answer, struct err *err)
{
	if (rows_columns(answer) != 5)
		return err_set(err, ERR_DB, "the transaction's own counters came in an unknown shape");
	for (size_t i = 0; i < rows_count(answer); i++) {
		struct tuples rows = { rows_int(answer, i, 2), rows_int(answer, i, 3),
			               rows_int(answer, i, 4) };

		if (rows_get(answer, i, 1)[0] == 'S')
			add_sequence(own, rows_int(answer, i, 0));
		else if (rows_get(answer, i, 1)[0] == 'D')
			own->database = own->database || rows.inserted || rows.updated || rows.deleted;
		else if (rows.inserted || rows.updated || rows.deleted)
			add_relation(own, rows_int(answer, i, 0), rows);
	}
	return true;
}

void own_share_add_window(struct own_share *own, const struct counters *start, const struct counters *end)
{
	own->database = true; /* shared catalogs are counted for the cluster, so this is not known */
	for (size_t s = 0, e = 0; e < end->n_relations; e++) {
		struct tuples grown = end->relations[e].rows;

		while (s < start->n_relations && start->relations[s].oid < end->relations[e].oid)
			s++;
		if (s < start->n_relations && start->relations[s].oid == end->relations[e].oid) {
			grown.inserted -= start->relations[s].rows.inserted;
			grown.updated -= start->relations[s].rows.updated;
			grown.deleted -= start->relations[s].rows.deleted;
		}
		if (grown.inserted || grown.updated || grown.deleted)
			add_relation(own, end->relations[e].oid, grown);
	}
	for (size_t s = 0, e = 0; s < start->n_sequences && e < end->n_sequences;) {
		const struct sequence_value *was = &start->sequences[s], *is = &end->sequences[e];

		if (was->oid == is->oid && was->value && is->value && strcmp(was->value, is->value) != 0)
			add_sequence(own, is->oid);
		s += was->oid <= is->oid;
		e += is->oid <= was->oid;
	}
}

bool own_share_begin(struct db *db, struct err *err)
{
	return (db_server_version(db) < 150000 ||
	        db_run(db, "SELECT pg_catalog.pg_stat_force_next_flush()", err)) &&
	       db_run(db, "BEGIN", err);
}

static bool end_transaction(struct own_share *own, struct db *db, const char *question, struct err *err)
{
	cleanup_rows struct rows *answer = NULL;

	if (!db_query(db, question, DB_NO_ARGS, &answer, err) || !own_share_add(own, answer, err) ||
	    !db_run(db, "COMMIT", err))
		return false;
	return strcmp(db_tag(db), "COMMIT") == 0 ||
	       err_set(err, ERR_DB, "the server answered COMMIT with %s", db_tag(db));
}

bool own_share_end(struct own_share *own, struct db *db, const char *question, struct err *err)
{
	if (question && end_transaction(own, db, question, err))
		return true;
	own->unknown = true; /* the aborted work was counted by the server, too */
	db_try(db, "ROLLBACK");
	return false;
}

json_t *own_share_to_json(const struct own_share *own)
{
	json_t *relations = json_array(), *sequences = json_array(), *out = json_object();

	for (size_t i = 0; i < own->n_relations; i++) {
		const struct relation_counts *r = &own->relations[i];
		json_push(relations, json_pack("[I,I,I,I]", (json_int_t)r->oid, (json_int_t)r->rows.inserted,
		                               (json_int_t)r->rows.updated, (json_int_t)r->rows.deleted));
	}
	for (size_t i = 0; i < own->n_sequences; i++)
		json_push(sequences, json_integer(own->sequences[i]));
	json_put(out, "relations", relations);
	json_put(out, "sequences", sequences);
	json_put(out, "database", json_boolean(own->database));
	json_put(out, "unknown", json_boolean(own->unknown));
	return out;
}

bool own_share_from_json(const json_t *j, struct own_share *out, struct err *err)
{
	const json_t *relations = json_object_get(j, "relations"),
		     *sequences = json_object_get(j, "sequences");

	if (!json_is_array(relations) || !json_is_array(sequences))
		return err_set(err, ERR_CORRUPT, "the journal's account of the run's own writes is damaged");
	for (size_t i = 0; i < json_array_size(relations); i++) {
		const json_t *e = json_array_get(relations, i);
		struct tuples rows = { json_integer_value(json_array_get(e, 1)),
			               json_integer_value(json_array_get(e, 2)),
			               json_integer_value(json_array_get(e, 3)) };
		add_relation(out, json_integer_value(json_array_get(e, 0)), rows);
	}
	for (size_t i = 0; i < json_array_size(sequences); i++)
		add_sequence(out, json_integer_value(json_array_get(sequences, i)));
	out->database = out->database || json_is_true(json_object_get(j, "database"));
	out->unknown = out->unknown || json_is_true(json_object_get(j, "unknown"));
	return true;
}

void own_share_clear(struct own_share *own)
{
	free(own->relations);
	free(own->sequences);
	*own = (struct own_share){ .n_relations = 0 };
}
