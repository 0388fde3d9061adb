#include "runner/proof/units.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"

#include <stdlib.h>

const char units_create_sql[] =
	"CREATE TABLE IF NOT EXISTS ripcord.unit (run uuid NOT NULL, at timestamptz NOT NULL DEFAULT now(),"
	" share json NOT NULL, hidden json, others bigint, since text, fenced boolean NOT NULL, ids xid[])";

/* ------------------------------------------------------------------ the question */

/*
 * A session reports what it counted when it is idle, at most once a second, and after ten seconds of idling for sure
 * (pgstat_report_stat() of PostgreSQL 15: PGSTAT_IDLE_INTERVAL, PGSTAT_MAX_INTERVAL 60 s when it has to wait for a
 * lock).  One that has been idle for longer has told everything; of the others nobody knows.
 */
#define TOLD_AFTER "75 seconds"

static const char others_sql[] =
	"(SELECT count(*) FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_database d ON d.oid = a.datid"
	" WHERE d.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()"
	" AND a.backend_type IS DISTINCT FROM 'autovacuum worker' AND NOT coalesce(a.state = 'idle'"
	"  AND a.state_change < pg_catalog.clock_timestamp() - interval '" TOLD_AFTER "', false))";

/* Whoever holds ACCESS EXCLUSIVE may have rewritten or dropped the table; the rest updated or deleted rows. */
static const char hidden_sql[] =
	"SELECT h.oid, pg_catalog.pg_relation_filenode(h.oid) AS filenode,"
	" pg_catalog.pg_stat_get_tuples_inserted(h.oid) AS inserted,"
	" pg_catalog.pg_stat_get_tuples_updated(h.oid) AS updated,"
	" pg_catalog.pg_stat_get_tuples_deleted(h.oid) AS deleted FROM"
	" (SELECT l.relation FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid()"
	"  AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation BETWEEN 16384 AND "
	"%lld"
	" UNION SELECT s.oid::oid FROM share s WHERE s.kind IN ('r', 'm') AND s.oid BETWEEN 16384 AND %lld"
	"  AND s.updated + s.deleted > 0) h(oid)";

bool unit_seal_question(struct db *db, const struct unit_seal *seal, char **out, struct err *err)
{
	const struct counters *before = seal->before;
	/* Every OID there may be, where nobody knows which were there before. */
	long long newest = before->n_relations ? (long long)before->relations[before->n_relations - 1].oid
	                                       : 0xffffffffLL;
	cleanup_free char *share = NULL, *hidden = sql_fmt(hidden_sql, newest, newest);

	if (!own_share_question(db, &share, err))
		return false;
	*out = sql_fmt(
		"WITH share AS MATERIALIZED (%s), hidden AS MATERIALIZED (%s), kept AS ("
		"INSERT INTO ripcord.unit (run, share, hidden, others, since, fenced)"
		" SELECT %L, coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_array("
		"s.oid, s.kind, s.inserted, s.updated, s.deleted)) FROM share s), '[]'), h.list,"
		" CASE WHEN h.list IS NOT NULL THEN %s END, CASE WHEN h.list IS NOT NULL THEN (%s) END, %s"
		" FROM (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(x.oid::int8, x.filenode::int8,"
		" x.inserted, x.updated, x.deleted)) AS list FROM hidden x) h)"
		" SELECT * FROM share",
		share, hidden, seal->run, others_sql, counters_since_sql, seal->fenced ? "true" : "false");
	return true;
}

/* ------------------------------------------------------------------ ids of subtransactions */

/* SAVEPOINT cannot be in a section; what a caught exception began is a subtransaction, and functions can be of any age.
 * RAISE EXCEPTION, which the history's own trigger has, catches nothing. */
static const char nests_sql[] =
	"SELECT count(*) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
	" WHERE l.lanname NOT IN ('internal', 'c', 'sql')"
	" AND (l.lanname <> 'plpgsql' OR p.prosrc ~* 'exception[[:space:]]*(when|--|/[*])')";

bool units_may_nest(struct db *db, bool *out, struct err *err)
{
	int64_t n;

	if (!db_int(db, nests_sql, DB_NO_ARGS, &n, err))
		return err_wrap(err, "cannot look for functions that catch exceptions");
	*out = n > 0;
	return true;
}

/*
 * The lock takes the newest id of all, and leaves it in the row's xmax.  After that nobody else has a transaction with
 * an id: then whatever others had taken from our first id to that one has ended, and what is in progress is ours.
 * CASE and the subqueries that are evaluated when they are needed keep that order.  The row's own xmin, which the
 * update changes, is one of those ids.
 */
#define IDS_MAX "100000"

char *unit_ids_question(const char *run)
{
	return sql_fmt("SAVEPOINT ripcord_ids;\n"
	               "SELECT FROM ripcord.unit u WHERE u.run = %L AND u.at = pg_catalog.now() FOR UPDATE;\n"
	               "SELECT FROM pg_catalog.pg_stat_clear_snapshot();\n"
	               "WITH span AS MATERIALIZED (SELECT u.ctid AS place, t.id AS first,"
	               "  t.id + ((u.xmax::text::int8 - (t.id & 4294967295)) & 4294967295) AS last"
	               "  FROM ripcord.unit u, (SELECT pg_catalog.pg_current_xact_id()::text::int8) t(id)"
	               "  WHERE u.run = %L AND u.at = pg_catalog.now()),"
	               " own AS MATERIALIZED (SELECT s.place, CASE WHEN s.last - s.first < " IDS_MAX
	               "  AND pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')"
	               "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a"
	               "   WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid())"
	               "  THEN CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_prepared_xacts)"
	               "   THEN ARRAY(SELECT (i.id & 4294967295)::text::xid"
	               "    FROM pg_catalog.generate_series(s.first, s.last) i(id)"
	               "    WHERE pg_catalog.pg_xact_status(i.id::text::xid8) = 'in progress') END END AS "
	               "ids FROM span s),"
	               " kept AS (UPDATE ripcord.unit u SET ids = o.ids FROM own o WHERE u.ctid = o.place "
	               "AND o.ids IS NOT NULL)"
	               " SELECT FROM own;\n"
	               "RELEASE SAVEPOINT ripcord_ids",
	               run, run);
}

/* ------------------------------------------------------------------ reading */

/* In the order of their commits: one session makes them, so their ids ascend. */
static const char units_sql[] =
	"(SELECT pg_catalog.row_number() OVER (ORDER BY pg_catalog.age(xmin) DESC) AS nr, *"
	" FROM ripcord.unit WHERE run = $1::uuid)";

static const char parts_sql[] =
	"SELECT u.nr, (e->>0)::int8 AS oid, e->>1 AS kind, (e->>2)::int8 AS inserted, (e->>3)::int8 AS "
	"updated,"
	" (e->>4)::int8 AS deleted FROM units u, pg_catalog.json_array_elements(u.share) e";

static bool read_share(struct db *db, const char *run, struct units *out, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;
	cleanup_free char *sql =
		mem_fmt("WITH units AS %s SELECT s.oid, s.kind, s.inserted, s.updated, s.deleted"
	                " FROM (%s) s",
	                units_sql, parts_sql);

	return db_query(db, sql, DB_ARGS(run), &rows, err) && own_share_add(&out->share, rows, err);
}

static bool read_hidden(struct db *db, const char *run, struct units *out, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;
	cleanup_free char *sql = mem_fmt(
		"WITH units AS %s, parts AS (%s), hidden AS (SELECT u.nr, u.others, u.since, u.fenced,"
		" (e->>0)::int8 AS oid, (e->>1)::int8 AS filenode, (e->>2)::int8 AS inserted,"
		" (e->>3)::int8 AS updated, (e->>4)::int8 AS deleted"
		" FROM units u, pg_catalog.json_array_elements(u.hidden) e)"
		" SELECT h.oid, h.nr, coalesce(h.filenode, 0),"
		" h.inserted - coalesce(p.inserted, 0), h.updated - coalesce(p.updated, 0),"
		" h.deleted - coalesce(p.deleted, 0), coalesce(o.inserted, 0), coalesce(o.updated, 0),"
		" coalesce(o.deleted, 0), h.others, h.since, h.fenced FROM hidden h"
		" LEFT JOIN parts o ON o.oid = h.oid AND o.nr = h.nr AND o.kind <> 'S'"
		" CROSS JOIN LATERAL (SELECT sum(inserted)::int8 AS inserted, sum(updated)::int8 AS updated,"
		"  sum(deleted)::int8 AS deleted FROM parts WHERE parts.oid = h.oid AND parts.nr < h.nr) p"
		" ORDER BY h.oid, h.nr",
		units_sql, parts_sql);

	if (!db_query(db, sql, DB_ARGS(run), &rows, err))
		return false;
	out->n_hidden = rows_count(rows);
	out->hidden = mem_new0((out->n_hidden + 1) * sizeof(*out->hidden));
	for (size_t i = 0; i < out->n_hidden; i++)
		out->hidden[i] = (struct hidden){
			.oid = rows_int(rows, i, 0),
			.nr = rows_int(rows, i, 1),
			.filenode = rows_int(rows, i, 2),
			.counted = { rows_int(rows, i, 3), rows_int(rows, i, 4), rows_int(rows, i, 5) },
			.own = { rows_int(rows, i, 6), rows_int(rows, i, 7), rows_int(rows, i, 8) },
			.others = rows_int(rows, i, 9),
			.since = mem_strdup(rows_get(rows, i, 10)),
			.fenced = rows_get(rows, i, 11)[0] == 't',
		};
	return true;
}

bool units_read(struct db *db, const char *run, struct units *out, struct err *err)
{
	cleanup_units struct units u = { .n = 0 };
	int64_t n = 0;

	if (!db_int(db, "SELECT count(pg_catalog.to_regclass('ripcord.unit'))", DB_NO_ARGS, &n, err))
		return err_wrap(err, "cannot look for ripcord.unit");
	if (n &&
	    (!db_int(db, "SELECT count(*) FROM ripcord.unit WHERE run = $1::uuid", DB_ARGS(run), &n, err) ||
	     !read_share(db, run, &u, err) || !read_hidden(db, run, &u, err)))
		return err_wrap(err, "cannot read ripcord.unit");
	u.n = (size_t)n;
	*out = u;
	u = (struct units){ .n = 0 };
	return true;
}

void units_clear(struct units *u)
{
	own_share_clear(&u->share);
	for (size_t i = 0; i < u->n_hidden; i++)
		free(u->hidden[i].since);
	free(u->hidden);
	*u = (struct units){ .n = 0 };
}
