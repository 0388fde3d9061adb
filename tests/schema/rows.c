#include "tests/schema/rows.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row for the table itself, with its number of rows, and one for each column: its digest.  The family is
 * where a loss may be said: at the table, at what it inherits from or is a part of, at the type that it is of. */
enum { TABLE, COLUMN, TYPE, VALUE, FAMILY };

/* The question about the rows, made from the catalog: one SELECT a table.  Rows come by their id, where they have one. */
static const char QUESTION[] =
	"WITH RECURSIVE up(oid, ancestor) AS (SELECT oid, oid FROM pg_class"
	" WHERE relkind IN ('r', 'p') AND oid >= 16384"
	" UNION SELECT up.oid, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.ancestor),"
	" member(oid, name) AS (SELECT oid, ancestor FROM up UNION SELECT up.oid, t.typrelid FROM up"
	" JOIN pg_class c ON c.oid = up.oid JOIN pg_type t ON t.oid = c.reloftype),"
	" named(oid, name) AS (SELECT c.oid, quote_ident(nspname) || '.' || quote_ident(relname)"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace),"
	" family(oid, names) AS (SELECT m.oid, string_agg(n.name, E'\\n') FROM member m"
	" JOIN named n ON n.oid = m.name GROUP BY m.oid),"
	" col(oid, num, name, type, text, turn) AS (SELECT attrelid, attnum, attname,"
	" format_type(atttypid, atttypmod), format('coalesce(%I::text, ''~null~'')', attname),"
	" CASE WHEN EXISTS (SELECT FROM pg_attribute i WHERE i.attrelid = a.attrelid AND i.attname = 'id'"
	" AND NOT i.attisdropped) THEN 'id::text, ' ELSE '' END"
	" FROM pg_attribute a WHERE attnum > 0 AND NOT attisdropped AND attgenerated = ''),"
	" part(oid, digests, rows) AS (SELECT oid,"
	" string_agg(format(', coalesce(md5(string_agg(%1$s, E''\\n'' ORDER BY %2$s%1$s)), ''none'')"
	" AS d%3$s', text, turn, num), ''),"
	" string_agg(format(', (%L, %L, t.d%s)', quote_ident(name), type, num), '')"
	" FROM up JOIN col USING (oid) WHERE up.ancestor = up.oid GROUP BY oid)"
	" SELECT string_agg(format('SELECT %L, v.*, %L FROM (SELECT count(*)::text AS n%s"
	" FROM ONLY %s) AS t CROSS JOIN LATERAL (VALUES ('''', '''', t.n)%s) AS v',"
	" named.name, names, digests, named.name, rows), ' UNION ALL ')"
	" FROM family JOIN named USING (oid) LEFT JOIN part USING (oid)";

bool rows_read(struct db *db, struct rows **out, struct err *err)
{
	cleanup_free char *question = NULL;

	if (!db_value(db, QUESTION, DB_NO_ARGS, &question, err))
		return err_wrap(err, "which tables there are");
	return db_query(db, question ? question : "SELECT 1 WHERE false", DB_NO_ARGS, out, err) ||
	       err_wrap(err, "the rows cannot be read");
}

/* The row of the same table, and of the same column, "" for the table itself; NULL: there is none. */
static const char *find(const struct rows *rows, const char *table, const char *column, size_t what)
{
	for (size_t i = 0; i < rows_count(rows); i++)
		if (strcmp(rows_get(rows, i, TABLE), table) == 0 &&
		    strcmp(rows_get(rows, i, COLUMN), column) == 0)
			return rows_get(rows, i, what);
	return NULL;
}

/* "table public.t: drop column c" with the name public.t; what is said is behind the colon. */
static const char *said_about(const char *about, const char *name)
{
	cleanup_free char *place = mem_fmt(" %s: ", name);
	const char *found = strstr(about, place);

	return found ? found + strlen(place) : NULL;
}

/* Whether a change that loses data is about one of the family, and, with `ends`, says that. */
static bool is_said(const struct changes *changes, const char *family, const char *const *ends)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *copy = mem_strdup(family);

	for (char *rest = copy, *name; (name = strsep(&rest, "\n"));)
		strv_add(&names, name);
	for (size_t i = 0; i < changes->n; i++)
		for (size_t k = 0; k < names.n && changes->v[i].hazards & HAZARD_DATA_LOSS; k++) {
			const char *said = said_about(changes->v[i].about, names.v[k]);
			if (said && !ends)
				return true;
			for (const char *const *end = ends; said && *end; end++)
				if (strcmp(said, *end) == 0)
					return true;
		}
	return false;
}

/* One row of `before`; NULL: it is there, or a change says that it goes. */
static const char *loss(const struct rows *before, size_t i, const struct rows *after,
                        const struct changes *changes)
{
	const char *table = rows_get(before, i, TABLE), *column = rows_get(before, i, COLUMN);
	const char *family = rows_get(before, i, FAMILY), *value = rows_get(before, i, VALUE);
	const char *is = find(after, table, column, VALUE), *type = find(after, table, column, TYPE);
	cleanup_free char *drop = mem_fmt("drop column %s", column),
			  *part = mem_fmt("drop attribute %s", column);

	if (!*column && !is)
		return is_said(changes, family, (const char *const[]){ "drop", NULL }) ? NULL : "was dropped";
	if (!*column)
		return strtoll(is, NULL, 10) < strtoll(value, NULL, 10) ? "has fewer rows" : NULL;
	if (!find(after, table, "", VALUE)) /* told of the table */
		return NULL;
	if (!is)
		return is_said(changes, family, (const char *const[]){ drop, part, NULL }) ? NULL
		                                                                           : "was dropped";
	if (strcmp(type, rows_get(before, i, TYPE)) != 0 || strcmp(is, value) == 0)
		return NULL;
	return is_said(changes, family, NULL) ? NULL : "has other values";
}

size_t rows_lost(const struct rows *before, const struct rows *after, const struct changes *changes,
                 const char *way)
{
	size_t n = 0;

	for (size_t i = 0; i < rows_count(before); i++) {
		const char *why = loss(before, i, after, changes), *column = rows_get(before, i, COLUMN);
		if (!why)
			continue;
		printf("%s: rows were lost without a word: %s%s%s %s %s\n", way, rows_get(before, i, TABLE),
		       *column ? "." : "", column, rows_get(before, i, TYPE), why);
		n++;
	}
	return n;
}
