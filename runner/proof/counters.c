#include "runner/proof/counters.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/sql.h"

#include <stdlib.h>
#include <string.h>

/* pg_class with every relation that has storage of its own and belongs to this database alone.  A TOAST
 * table is called by what it belongs to. */
static const char relations_sql[] =
	"SELECT c.oid::int8, pg_catalog.format('%I.%I', n.nspname, coalesce(o.relname, c.relname))"
	" || CASE WHEN o.oid IS NULL THEN '' ELSE ' (TOAST)' END,"
	" pg_catalog.pg_stat_get_tuples_inserted(c.oid), pg_catalog.pg_stat_get_tuples_updated(c.oid),"
	" pg_catalog.pg_stat_get_tuples_deleted(c.oid), c.relpersistence = 't',"
	" pg_catalog.pg_relation_filenode(c.oid)::int8"
	" FROM pg_catalog.pg_class c"
	" LEFT JOIN pg_catalog.pg_class o ON c.relkind = 't' AND o.reltoastrelid = c.oid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(o.relnamespace, c.relnamespace)"
	" WHERE c.relkind IN ('r', 't', 'm') AND NOT c.relisshared ORDER BY c.oid";

static const char server_sql[] =
	"SELECT pg_catalog.pg_postmaster_start_time()::text, coalesce(d.stats_reset::text, ''),"
	" (SELECT timeline_id::text FROM pg_catalog.pg_control_checkpoint()),"
	" (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),"
	" pg_catalog.pg_current_snapshot()::text,"
	" pg_catalog.current_setting('track_counts') = 'on' AND NOT EXISTS (SELECT FROM "
	"pg_catalog.pg_db_role_setting s,"
	"  pg_catalog.unnest(s.setconfig) e WHERE e ILIKE 'track_counts=%' AND e NOT ILIKE "
	"'track_counts=on'),"
	" d.tup_inserted, d.tup_updated, d.tup_deleted, d.sessions,"
	" (SELECT coalesce(w.stats_reset::text, '') FROM pg_catalog.pg_stat_bgwriter w)"
	" FROM pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()";

static const char sequences_sql[] =
	"SELECT c.oid::int8, pg_catalog.format('%I.%I', n.nspname, c.relname), s.seqincrement < 0"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid"
	" WHERE c.relkind = 'S' AND c.relpersistence <> 't' ORDER BY c.oid";

const char counters_since_sql[] =
	"SELECT pg_catalog.pg_postmaster_start_time() || '|' || coalesce(d.stats_reset::text, '') || '|' ||"
	" (SELECT coalesce(w.stats_reset::text, '') FROM pg_catalog.pg_stat_bgwriter w)"
	" FROM pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()";

char *counters_since(const struct counters *c)
{
	return mem_fmt("%s|%s|%s", c->postmaster_start, c->stats_reset, c->collected_since);
}

static bool read_server(struct db *db, struct counters *c, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, server_sql, DB_NO_ARGS, &r, err))
		return false;
	if (rows_count(r) != 1)
		return err_set(err, ERR_DB, "pg_stat_database has no row of this database");
	c->postmaster_start = mem_strdup(rows_get(r, 0, 0));
	c->stats_reset = mem_strdup(rows_get(r, 0, 1));
	c->timeline = mem_strdup(rows_get(r, 0, 2));
	c->system_identifier = mem_strdup(rows_get(r, 0, 3));
	c->snapshot = mem_strdup(rows_get(r, 0, 4));
	c->track_counts = rows_get(r, 0, 5)[0] == 't';
	c->total = (struct tuples){ rows_int(r, 0, 6), rows_int(r, 0, 7), rows_int(r, 0, 8) };
	c->sessions = rows_int(r, 0, 9);
	c->collected_since = mem_strdup(rows_get(r, 0, 10));
	c->server_version = db_server_version(db);
	return true;
}

static bool read_relations(struct db *db, struct counters *c, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, relations_sql, DB_NO_ARGS, &r, err))
		return false;
	c->n_relations = rows_count(r);
	c->relations = mem_new0((c->n_relations + 1) * sizeof(*c->relations));
	for (size_t i = 0; i < c->n_relations; i++)
		c->relations[i] = (struct relation_counts){
			.oid = rows_int(r, i, 0),
			.name = mem_strdup(rows_get(r, i, 1)),
			.rows = { rows_int(r, i, 2), rows_int(r, i, 3), rows_int(r, i, 4) },
			.is_temporary = rows_get(r, i, 5)[0] == 't',
			.filenode = rows_int(r, i, 6),
		};
	return true;
}

/* pg_sequence_last_value() is silent on setval(..., false), so the sequences themselves are read: one
 * statement a thousand, whatever their number. */
enum { SEQUENCES_PER_QUERY = 1000 };

static bool read_values(struct db *db, struct counters *c, size_t from, size_t to, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	cleanup_rows struct rows *r = NULL;

	for (size_t i = from; i < to; i++)
		buf_fmt(&sql, "%sSELECT %zu AS i, last_value || ',' || is_called FROM %s",
		        i > from ? " UNION ALL " : "", i, c->sequences[i].name);
	if (!db_query(db, buf_text(&sql), DB_NO_ARGS, &r, err))
		return false;
	for (size_t i = 0; i < rows_count(r); i++)
		c->sequences[rows_int(r, i, 0)].value = mem_strdup(rows_get(r, i, 1));
	return true;
}

static bool read_sequences(struct db *db, struct counters *c, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, sequences_sql, DB_NO_ARGS, &r, err))
		return false;
	c->n_sequences = rows_count(r);
	c->sequences = mem_new0((c->n_sequences + 1) * sizeof(*c->sequences));
	for (size_t i = 0; i < c->n_sequences; i++)
		c->sequences[i] = (struct sequence_value){ .oid = rows_int(r, i, 0),
			                                   .name = mem_strdup(rows_get(r, i, 1)),
			                                   .descends = rows_get(r, i, 2)[0] == 't' };
	for (size_t i = 0; i < c->n_sequences; i += SEQUENCES_PER_QUERY) {
		size_t end =
			i + SEQUENCES_PER_QUERY < c->n_sequences ? i + SEQUENCES_PER_QUERY : c->n_sequences;
		if (!read_values(db, c, i, end, err))
			return false;
	}
	return true;
}

static bool read_prepared(struct db *db, struct counters *c, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db,
	              "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = "
	              "pg_catalog.current_database()"
	              " ORDER BY prepared",
	              DB_NO_ARGS, &r, err))
		return false;
	for (size_t i = 0; i < rows_count(r); i++)
		strv_add(&c->prepared, rows_get(r, i, 0));
	return true;
}

const struct relation_counts *relation_counts_find(const struct relation_counts *list, size_t n, int64_t oid)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list[middle].oid < oid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && list[low].oid == oid ? &list[low] : NULL;
}

bool counters_read(struct db *db, struct counters *out, struct err *err)
{
	cleanup_counters struct counters c = { .n_relations = 0 };

	/* The flush happens when the session is idle again, so it is a message of its own. */
	if (db_server_version(db) >= 150000 &&
	    !db_run(db, "SELECT pg_catalog.pg_stat_force_next_flush()", err))
		return false;
	if (!read_server(db, &c, err) || !read_relations(db, &c, err) || !read_sequences(db, &c, err) ||
	    !read_prepared(db, &c, err))
		return err_wrap(err, "cannot read the server's counters");
	*out = c;
	c = (struct counters){ .n_relations = 0 };
	return true;
}

void counters_clear(struct counters *c)
{
	for (size_t i = 0; i < c->n_relations; i++)
		free(c->relations[i].name);
	for (size_t i = 0; i < c->n_sequences; i++) {
		free(c->sequences[i].name);
		free(c->sequences[i].value);
	}
	free(c->relations);
	free(c->sequences);
	free(c->postmaster_start);
	free(c->stats_reset);
	free(c->collected_since);
	free(c->timeline);
	free(c->system_identifier);
	free(c->snapshot);
	strv_clear(&c->prepared);
	*c = (struct counters){ .n_relations = 0 };
}

/* ------------------------------------------------------------------ as JSON */

static json_t *tuples_to_json(const struct tuples *t)
{
	return json_pack("[I,I,I]", (json_int_t)t->inserted, (json_int_t)t->updated, (json_int_t)t->deleted);
}

static bool tuples_from_json(const json_t *j, struct tuples *t)
{
	if (json_array_size(j) != 3)
		return false;
	*t = (struct tuples){ json_integer_value(json_array_get(j, 0)),
		              json_integer_value(json_array_get(j, 1)),
		              json_integer_value(json_array_get(j, 2)) };
	return true;
}

json_t *counters_to_json(const struct counters *c)
{
	json_t *relations = json_array(), *sequences = json_array(), *out = json_object();

	for (size_t i = 0; i < c->n_relations; i++) {
		const struct relation_counts *r = &c->relations[i];
		json_push(relations,
		          json_pack("[I,s,o,b,I]", (json_int_t)r->oid, r->name, tuples_to_json(&r->rows),
		                    (int)r->is_temporary, (json_int_t)r->filenode));
	}
	for (size_t i = 0; i < c->n_sequences; i++)
		json_push(sequences,
		          json_pack("[I,s,s?,b]", (json_int_t)c->sequences[i].oid, c->sequences[i].name,
		                    c->sequences[i].value, (int)c->sequences[i].descends));
	json_put(out, "postmaster_start", json_str(c->postmaster_start));
	json_put(out, "stats_reset", json_str(c->stats_reset));
	json_put(out, "collected_since", json_str(c->collected_since));
	json_put(out, "timeline", json_str(c->timeline));
	json_put(out, "system_identifier", json_str(c->system_identifier));
	json_put(out, "snapshot", json_str(c->snapshot));
	json_put(out, "track_counts", json_boolean(c->track_counts));
	json_put(out, "server_version", json_integer(c->server_version));
	json_put(out, "sessions", json_integer(c->sessions));
	json_put(out, "total", tuples_to_json(&c->total));
	json_put(out, "relations", relations);
	json_put(out, "sequences", sequences);
	return out;
}

static char *text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));
	return mem_strdup(text ? text : "");
}

static bool lists_from_json(const json_t *j, struct counters *c)
{
	const json_t *relations = json_object_get(j, "relations"),
		     *sequences = json_object_get(j, "sequences");

	c->n_relations = json_array_size(relations);
	c->relations = mem_new0((c->n_relations + 1) * sizeof(*c->relations));
	for (size_t i = 0; i < c->n_relations; i++) {
		const json_t *e = json_array_get(relations, i);
		struct relation_counts *r = &c->relations[i];
		const char *name = json_string_value(json_array_get(e, 1));
		if (!name || !tuples_from_json(json_array_get(e, 2), &r->rows))
			return false;
		r->oid = json_integer_value(json_array_get(e, 0));
		r->name = mem_strdup(name);
		r->is_temporary = json_is_true(json_array_get(e, 3));
		r->filenode = json_integer_value(json_array_get(e, 4));
	}
	c->n_sequences = json_array_size(sequences);
	c->sequences = mem_new0((c->n_sequences + 1) * sizeof(*c->sequences));
	for (size_t i = 0; i < c->n_sequences; i++) {
		const json_t *e = json_array_get(sequences, i);
		const char *name = json_string_value(json_array_get(e, 1));
		if (!name)
			return false;
		c->sequences[i] = (struct sequence_value){
			.oid = json_integer_value(json_array_get(e, 0)),
			.name = mem_strdup(name),
			.value = mem_strdup(json_string_value(json_array_get(e, 2))),
			.descends = json_is_true(json_array_get(e, 3)),
		};
	}
	return true;
}

bool counters_from_json(const json_t *j, struct counters *out, struct err *err)
{
	cleanup_counters struct counters c = { .n_relations = 0 };

	c.postmaster_start = text_of(j, "postmaster_start");
	c.stats_reset = text_of(j, "stats_reset");
	c.collected_since = text_of(j, "collected_since");
	c.timeline = text_of(j, "timeline");
	c.system_identifier = text_of(j, "system_identifier");
	c.snapshot = text_of(j, "snapshot");
	c.track_counts = json_is_true(json_object_get(j, "track_counts"));
	c.server_version = (int)json_integer_value(json_object_get(j, "server_version"));
	c.sessions = json_integer_value(json_object_get(j, "sessions"));
	if (!json_is_object(j) || !tuples_from_json(json_object_get(j, "total"), &c.total) ||
	    !lists_from_json(j, &c))
		return err_set(err, ERR_CORRUPT, "the journal's counters are damaged");
	*out = c;
	c = (struct counters){ .n_relations = 0 };
	return true;
}
