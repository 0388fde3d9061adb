#include "migrations/schema/changes/rename.h"

#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

/* What the name is, and its noun; one row, or none.  to_reg...() take a name as it is written in SQL. */
static const char KIND[] =
	"SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN "
	"'SEQUENCE'"
	" WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE'"
	" ELSE 'TABLE' END FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)"
	" UNION ALL SELECT CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END FROM pg_catalog.pg_type"
	" WHERE oid = pg_catalog.to_regtype($1) AND typrelid = 0"
	" UNION ALL SELECT 'SCHEMA' FROM pg_catalog.pg_namespace WHERE pg_catalog.quote_ident(nspname) = $1";

static bool find_noun(struct db *db, const char *name, char **out, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;

	if (!db_query(db, KIND, DB_ARGS(name), &rows, err))
		return false;
	*out = rows_count(rows) == 1 ? mem_strdup(rows_get(rows, 0, 0)) : NULL;
	return true;
}

bool rename_sql(struct db *db, const struct rename *r, char **out, struct err *err)
{
	cleanup_free char *noun = NULL, *whole = NULL;
	const char *dot = words_find_last(r->from, ".");

	if (!words_same_front(r->from, r->to))
		return err_set(err, ERR_USAGE, "cannot rename %s to %s: only the last name may differ",
		               r->from, r->to);
	/* Three names are a column's. */
	if (dot && words_find(r->from, ".") != dot) {
		whole = mem_strndup(r->from, (size_t)(dot - r->from));
		*out = mem_fmt("ALTER TABLE %s RENAME COLUMN %s TO %s", whole, dot + 1,
		               words_last_name(r->to));
		return true;
	}
	if (!find_noun(db, r->from, &noun, err))
		return err_wrap(err, "cannot rename %s", r->from);
	if (!noun)
		return err_set(err, ERR_USAGE, "cannot rename %s: there is no such object", r->from);
	*out = mem_fmt("ALTER %s %s RENAME TO %s", noun, r->from, words_last_name(r->to));
	return true;
}
