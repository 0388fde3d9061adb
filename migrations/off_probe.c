/*
 * What a statement that PostgreSQL ran outside a transaction block did, when nobody was there to hear it: by what the
 * catalogs say now, against what was noted before it was sent.
 *
 * Only what came into being since then, under the statement's own names, is taken for ours.
 */
#include "migrations/off.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sql.h"

#include <stdlib.h>
#include <string.h>

bool look_again(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err)
{
	(void)o, (void)body, (void)about, (void)err;
	*found = FOUND_NOT_DONE;
	return true;
}

/* ------------------------------------------------------------------ indexes */

/* "{1,2}", as the server reads an array. */
static char *oid_list(const json_t *oids)
{
	cleanup_buf struct buf out = BUF_INIT(BUF_TEXT_MAX);
	const json_t *oid;
	size_t i;

	buf_char(&out, '{');
	json_array_foreach(oids, i, oid) buf_fmt(&out, "%s%s", i ? "," : "", json_string_value(oid));
	buf_char(&out, '}');
	return buf_take(&out);
}

static bool note_oids(struct off *o, const char *sql, const char *arg, json_t *about, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;
	json_t *oids = json_array();

	json_put(about, "indexes", oids);
	if (!db_query(o->u->db, sql, &arg, arg ? 1 : 0, &rows, err))
		return err_wrap(err, "cannot look at the indexes");
	for (size_t i = 0; i < rows_count(rows); i++)
		json_push(oids, json_str(rows_get(rows, i, 0)));
	return true;
}

static bool note_table(struct off *o, const json_t *body, json_t *about, struct err *err)
{
	cleanup_free char *name = range_sql(json_object_get(body, "relation")), *oid = NULL;

	if (!db_value(o->u->db, "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid::pg_catalog.text",
	              DB_ARGS(name), &oid, err))
		return false;
	json_put(about, "table", json_str(oid ? oid : "0"));
	return true;
}

bool note_index(struct off *o, const json_t *body, json_t *about, struct err *err)
{
	return note_table(o, body, about, err) &&
	       note_oids(o,
	                 "SELECT indexrelid::pg_catalog.text FROM pg_catalog.pg_index WHERE indrelid = "
	                 "$1::pg_catalog.oid",
	                 json_text(about, "table"), about, err);
}

static bool drop_index(struct off *o, const char *name, struct err *err)
{
	cleanup_free char *sql = mem_fmt("DROP INDEX CONCURRENTLY IF EXISTS %s", name), *timeout = NULL;
	int64_t left = o->started_ms + o->u->settings->lock_budget_ms - clock_ms();

	if (!db_value(o->u->db, "SELECT pg_catalog.current_setting('lock_timeout')", DB_NO_ARGS, &timeout,
	              err))
		return false;
	/* It waits for what the statement itself waited for.  SHARE UPDATE EXCLUSIVE keeps nobody from reading and writing,
	 * so that it may wait as long as there is budget left. */
	if (left > 0 && !db_runf(o->u->db, err, "SET lock_timeout = %lld", (long long)left))
		return false;
	bool ok = run_bare_helper(o, sql, err) ||
	          err_wrap(err, "cannot drop the invalid index %s that the statement left", name);
	struct err ignored = ERR_INIT; /* a session that cannot be set back is lost, and says so next */
	return (db_runf(o->u->db, ok ? err : &ignored, "SET lock_timeout = %L", timeout) || !ok) && ok;
}

/* Indexes of that table that were not there before, with the name that the statement gives (or any); a row of
 * pg_stat_progress_create_index is a build of somebody else's that is running. */
static const char new_indexes[] =
	"SELECT i.indisvalid, pg_catalog.format('%I.%I', n.nspname, c.relname)"
	" FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE i.indrelid = $1::pg_catalog.oid AND i.indexrelid <> ALL ($2::pg_catalog.oid[])"
	" AND ($3 = '' OR c.relname = $3::pg_catalog.name) AND NOT EXISTS (SELECT"
	" FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid"
	" AND p.datname = pg_catalog.current_database() AND p.pid <> pg_catalog.pg_backend_pid())";

bool look_index(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err)
{
	cleanup_free char *before = oid_list(json_object_get(about, "indexes"));
	const char *name = json_text(body, "idxname");
	cleanup_rows struct rows *rows = NULL;

	if (!db_query(o->u->db, new_indexes, DB_ARGS(json_text(about, "table"), before, name), &rows, err))
		return err_wrap(err, "cannot look for what the statement left");
	*found = FOUND_NOT_DONE;
	for (size_t i = 0; i < rows_count(rows); i++) {
		bool valid = strcmp(rows_get(rows, i, 0), "t") == 0;
		if (valid && !*name) {
			*found =
				FOUND_UNKNOWN; /* one whose name the server was to choose could be anybody's */
			return true;
		}
		if (valid)
			*found = FOUND_DONE;
		else if (!drop_index(o, rows_get(rows, i, 1), err))
			return false;
	}
	return true;
}

bool note_reindex(struct off *o, const json_t *body, json_t *about, struct err *err)
{
	(void)body;
	return note_oids(o,
	                 "SELECT indexrelid::pg_catalog.text FROM pg_catalog.pg_index WHERE NOT indisvalid",
	                 NULL, about, err);
}

/* REINDEX CONCURRENTLY builds under a name that ends in _ccnew and drops the old one as _ccold (PostgreSQL's manual,
 * "Rebuilding Indexes Concurrently"); doing it once more is safe as soon as those are gone. */
bool look_reindex(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err)
{
	cleanup_free char *before = oid_list(json_object_get(about, "indexes"));
	cleanup_rows struct rows *rows = NULL;

	(void)body;
	if (!db_query(o->u->db,
	              "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_index i"
	              " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON "
	              "n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relkind = 'i'"
	              " AND n.nspname <> 'pg_toast' AND c.relname ~ '_cc(new|old)[0-9]*$'"
	              " AND i.indexrelid <> ALL ($1::pg_catalog.oid[]) AND NOT EXISTS (SELECT"
	              " FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid"
	              " AND p.datname = pg_catalog.current_database() AND p.pid <> "
	              "pg_catalog.pg_backend_pid())",
	              DB_ARGS(before), &rows, err))
		return err_wrap(err, "cannot look for what the statement left");
	for (size_t i = 0; i < rows_count(rows); i++)
		if (!drop_index(o, rows_get(rows, i, 0), err))
			return false;
	*found = FOUND_NOT_DONE;
	return true;
}

bool check_not_hidden(struct off *o, const json_t *create, struct err *err)
{
	cleanup_free char *table = range_sql(json_object_get(create, "relation"));
	const char *name = json_text(create, "idxname");
	int64_t n = 0;

	if (!json_is_true(json_object_get(create, "if_not_exists")))
		return true;
	if (!db_int(o->u->db,
	            "SELECT count(*) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = "
	            "i.indexrelid WHERE NOT i.indisvalid AND c.relname = $1::pg_catalog.name"
	            " AND i.indrelid = pg_catalog.to_regclass($2)",
	            DB_ARGS(name, table), &n, err))
		return err_wrap(err, "cannot look at index %s", name);
	if (!n)
		return true;
	err_set(err, ERR_REFUSED, "index %s was there already, and it is invalid", name);
	return err_hint(err, "it is what an earlier attempt left: DROP INDEX CONCURRENTLY it and try again");
}

/* ------------------------------------------------------------------ partitions */

static const json_t *detached(const json_t *body)
{
	const json_t *cmd =
		json_object_get(json_array_get(json_object_get(body, "cmds"), 0), "AlterTableCmd");

	return json_object_get(json_object_get(json_object_get(cmd, "def"), "PartitionCmd"), "name");
}

bool note_detach(struct off *o, const json_t *body, json_t *about, struct err *err)
{
	cleanup_free char *parent = range_sql(json_object_get(body, "relation")),
			  *child = range_sql(detached(body));
	cleanup_rows struct rows *rows = NULL;

	if (!db_query(o->u->db,
	              "SELECT inhparent::pg_catalog.text, inhrelid::pg_catalog.text FROM "
	              "pg_catalog.pg_inherits WHERE"
	              " inhparent = pg_catalog.to_regclass($1) AND inhrelid = pg_catalog.to_regclass($2)"
	              " AND NOT inhdetachpending",
	              DB_ARGS(parent, child), &rows, err))
		return err_wrap(err, "cannot look at partition %s", child);
	if (rows_count(rows) == 1) {
		json_put(about, "parent", json_str(rows_get(rows, 0, 0)));
		json_put(about, "child", json_str(rows_get(rows, 0, 1)));
	}
	return true;
}

bool look_detach(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err)
{
	cleanup_free char *parent = range_sql(json_object_get(body, "relation")),
			  *child = range_sql(detached(body));
	cleanup_rows struct rows *rows = NULL;

	*found = FOUND_NOT_DONE;
	if (!json_object_get(about, "child"))
		return true; /* it was no partition before: the server will say so again */
	if (!db_query(o->u->db,
	              "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhparent = "
	              "$1::pg_catalog.oid AND inhrelid = $2::pg_catalog.oid",
	              DB_ARGS(json_text(about, "parent"), json_text(about, "child")), &rows, err))
		return err_wrap(err, "cannot look at partition %s", child);
	if (rows_count(rows) == 0)
		*found = FOUND_DONE;
	else if (strcmp(rows_get(rows, 0, 0), "t") == 0) {
		cleanup_free char *sql =
			mem_fmt("ALTER TABLE %s DETACH PARTITION %s FINALIZE", parent, child);
		if (!run_bare_helper(o, sql, err))
			return err_wrap(err, "cannot finish detaching partition %s", child);
		*found = FOUND_DONE;
	}
	return true;
}

/* ------------------------------------------------------------------ there or not there */

/* What tells by being there (or not) that the statement has done its work; its argument is the caller's. */
static const char *there_sql(const json_t *body, char **name)
{
	const char *database = json_text(body, "dbname"), *space = json_text(body, "tablespacename");

	if (*database) {
		*name = mem_strdup(database);
		/* -2 marks one whose DROP was cut off (PostgreSQL 15.4 and later): it is as good as gone, but in the way. */
		return "SELECT count(*) FROM pg_catalog.pg_database WHERE datname = $1";
	}
	if (*space) {
		*name = mem_strdup(space);
		return "SELECT count(*) FROM pg_catalog.pg_tablespace WHERE spcname = $1";
	}
	*name = names_sql(json_array_get(json_object_get(body, "objects"), 0));
	return "SELECT CASE WHEN pg_catalog.to_regclass($1) IS NULL THEN 0 ELSE 1 END";
}

static bool is_there(struct off *o, const json_t *body, int64_t *there, struct err *err)
{
	cleanup_free char *name = NULL;
	const char *sql = there_sql(body, &name);

	return db_int(o->u->db, sql, DB_ARGS(name), there, err) || err_wrap(err, "cannot look for %s", name);
}

bool note_there(struct off *o, const json_t *body, json_t *about, struct err *err)
{
	int64_t there = 0;

	if (!is_there(o, body, &there, err))
		return false;
	json_put(about, "there", json_boolean(there != 0));
	return true;
}

bool look_there(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err)
{
	int64_t there = 0;

	if (!is_there(o, body, &there, err))
		return false;
	*found = json_is_true(json_object_get(about, "there")) == (there != 0) ? FOUND_NOT_DONE : FOUND_DONE;
	return true;
}
