#include "runner/proof/candidate.h"

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "runner/proof/database.h"

#include <inttypes.h>
#include <string.h>

/* ------------------------------------------------------------------ row counts */

enum { TABLES_PER_QUERY = 500 };

/* Counts tables[from..to) in one statement; row i of the answer is table from + i. */
static bool count_tables(struct db *db, const struct strv *tables, size_t from, size_t to, struct rows **out,
                         struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = from; i < to; i++)
		buf_fmt(&sql, "%sSELECT %zu AS place, count(*) FROM ONLY %s", i > from ? " UNION ALL " : "",
		        i, tables->v[i]);
	buf_str(&sql, " ORDER BY place");
	return db_query(db, buf_text(&sql), DB_NO_ARGS, out, err);
}

static bool count_all(struct db *db, const struct strv *tables, json_t *counts, struct err *err)
{
	for (size_t from = 0; from < tables->n; from += TABLES_PER_QUERY) {
		cleanup_rows struct rows *r = NULL;
		size_t to = from + TABLES_PER_QUERY < tables->n ? from + TABLES_PER_QUERY : tables->n;

		if (!count_tables(db, tables, from, to, &r, err))
			return err_wrap(err, "cannot count rows");
		for (size_t i = from; i < to; i++)
			json_put(counts, tables->v[i], json_integer(rows_int(r, i - from, 1)));
	}
	return true;
}

bool rows_compare(struct db *db, const json_t *expected, struct err *err)
{
	cleanup_strv struct strv tables = STRV_INIT;
	cleanup_buf struct buf differ = BUF_INIT(BUF_TEXT_MAX);
	cleanup_json json_t *counts = json_object();
	const char *table;
	json_t *number;

	json_object_foreach((json_t *)expected, table, number) strv_add(&tables, table);
	/* A superuser and the owner see every row; with a policy in force a count would not be one. */
	if (!db_run(db, "SET row_security = off", err) || !count_all(db, &tables, counts, err))
		return false;
	json_object_foreach((json_t *)expected, table, number)
	{
		json_int_t was = json_integer_value(number),
			   is = json_integer_value(json_object_get(counts, table));
		if (was != is)
			buf_fmt(&differ, "%s%s has %" PRId64 " rows instead of %" PRId64,
			        differ.len ? ", " : "", table, (int64_t)is, (int64_t)was);
	}
	if (differ.len > 0)
		return err_set(err, ERR_CORRUPT,
		               "the restored database is not the one that was backed up: %s",
		               buf_text(&differ));
	return true;
}

bool rows_read(struct db *db, json_t **out, struct err *err)
{
	cleanup_strv struct strv tables = STRV_INIT;
	cleanup_rows struct rows *r = NULL;
	cleanup_json json_t *counts = json_object();

	if (!db_run(db, "SET LOCAL row_security = off", err) ||
	    !db_query(db,
	              "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c"
	              " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
	              " AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
	              " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND "
	              "d.deptype = 'e'"
	              "  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)",
	              DB_NO_ARGS, &r, err))
		return false;
	for (size_t i = 0; i < rows_count(r); i++)
		strv_add(&tables, rows_get(r, i, 0));
	if (!count_all(db, &tables, counts, err))
		return false;
	*out = json_incref(counts);
	return true;
}

/* ------------------------------------------------------------------ building */

/* What template0 has and the live database has not: pg_dump does not say that it was dropped. */
static bool take_out(struct db *db, const struct schema *was, struct err *err)
{
	bool has_public = false, has_plpgsql = false;

	for (size_t i = 0; i < schema_count(was); i++) {
		const struct fact *f = schema_fact(was, i);
		has_public |= strcmp(f->kind, "schema") == 0 && strcmp(f->name, "public") == 0;
		has_plpgsql |= strcmp(f->kind, "extension") == 0 && strcmp(f->name, "plpgsql") == 0;
	}
	return (has_public || db_run(db, "DROP SCHEMA public", err)) &&
	       (has_plpgsql || db_run(db, "DROP EXTENSION plpgsql", err));
}

static const char *attribute(const struct fact *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->attributes[i].name, name) == 0)
			return f->attributes[i].value;
	return "";
}

/* The dump's CREATE EXTENSION IF NOT EXISTS takes the newest version and leaves what is there.  A schema that only
 * the dump creates is not there yet: then the version differs in the end, and the proof says so. */
static bool put_in_extension(struct db *db, const struct fact *f, struct err *err)
{
	const char *schema = attribute(f, "schema"), *version = attribute(f, "version");
	int64_t is_newest;

	if (!db_int(db,
	            "SELECT count(*) FROM pg_catalog.pg_available_extensions"
	            " WHERE pg_catalog.quote_ident(name) = $1 AND default_version = $2",
	            DB_ARGS(f->name, version), &is_newest, err))
		return false;
	if (is_newest || (strcmp(schema, "public") != 0 && strcmp(schema, "pg_catalog") != 0))
		return true;
	return db_runf(db, err, "CREATE EXTENSION %s VERSION %L SCHEMA %s CASCADE", f->name, version,
	               schema) ||
	       err_wrap(err, "cannot install extension %s at version %s", f->name, version);
}

static bool put_in_extensions(struct db *db, const struct schema *was, struct err *err)
{
	for (size_t i = 0; i < schema_count(was); i++) {
		const struct fact *f = schema_fact(was, i);
		if (strcmp(f->kind, "extension") == 0 && !put_in_extension(db, f, err))
			return false;
	}
	return true;
}

static bool prove_schema(const struct candidate_request *request, struct db *db, struct err *err)
{
	cleanup_schema struct schema *is = NULL;
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);
	struct schema_options options = { .version_table = request->version_table };

	if (!schema_read(db, &options, &is, err))
		return false;
	size_t differ = schema_diff(request->schema, is, SCHEMA_INSIDE, &diff);
	if (differ == 0)
		return true;
	return err_set(err, ERR_CORRUPT,
	               "the restored database is not the one that was backed up; %zu facts differ:\n%.600s",
	               differ, buf_text(&diff));
}

bool candidate_fill(const struct candidate_request *request, struct db *db, struct err *err)
{
	cleanup_conninfo struct conninfo *named =
		conninfo_with(request->live, "application_name", request->application);
	cleanup_conninfo struct conninfo *target = conninfo_with(named, "dbname", request->name);
	struct restore_request restore = { .target = target,
		                           .bin_dir = request->bin_dir,
		                           .private_dir = request->private_dir,
		                           .schema_only = request->schema_only,
		                           .progress = request->progress };

	if (!take_out(db, request->schema, err) || !put_in_extensions(db, request->schema, err))
		return false;
	if (!backup_restore(request->stores, request->manifest, &restore, err))
		return err_wrap(err, "cannot restore into database \"%s\"", request->name);
	if (!prove_schema(request, db, err))
		return false;
	if (request->schema_only)
		return true;
	const json_t *counts = manifest_rows(request->manifest);
	if (!counts)
		return err_set(err, ERR_CORRUPT, "the manifest has no row counts to compare with");
	return rows_compare(db, counts, err) && db_run(db, "ANALYZE", err);
}

static void drop_again(const struct candidate_request *request, struct err *err)
{
	struct err second = ERR_INIT;

	if (!db_runf(request->maintenance, &second, "DROP DATABASE IF EXISTS %I", request->name))
		err_hint(err, "database \"%s\" is left over and could not be dropped: %s", request->name,
		         second.msg);
}

bool candidate_create(const struct candidate_request *request, struct db **out, struct err *err)
{
	cleanup_conninfo struct conninfo *target = conninfo_with(request->live, "dbname", request->name);

	if (!database_create_like(request->maintenance, request->name, request->facts, request->comment, err))
		return false;
	if (db_open(target, request->application, out, err))
		return true;
	if (err->code != ERR_CANCELLED) /* nothing can be sent before the caller has held that */
		drop_again(request, err);
	return false;
}

bool candidate_build(const struct candidate_request *request, struct err *err)
{
	struct db *db = NULL;
	bool made = candidate_create(request, &db, err);
	bool ok = made && candidate_fill(request, db, err);

	db_close(db);
	if (ok || (!made && err->code != ERR_CANCELLED))
		return ok;
	cancel_hold(); /* the signal that ended it must not keep what is left of it there */
	drop_again(request, err);
	return false;
}
