/*
 * Rows for a revision to be tried with, made from the schema alone, and what became of them.
 *
 * Row i of a table has i, or what can be made of i, in every column; a column with a default keeps that, and one of a
 * single-column foreign key takes a value that is there.  Constraints that want more leave their table empty, which is said.
 */
#include "runner/guard/prove.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"

#include <inttypes.h>
#include <string.h>

/* ------------------------------------------------------------------ making rows */

/* What a value of the type is made of, by category (PostgreSQL 15, table 53.65), the base type of a domain included. */
#define VALUE                                                                                                \
	"CASE WHEN f.reftable IS NOT NULL THEN pg_catalog.format("                                           \
	"  '(SELECT p.%1$I FROM %2$s p ORDER BY 1 LIMIT 1 OFFSET (ripcord_n - 1) %% (SELECT "                \
	"greatest(count(*), 1) FROM %2$s))',"                                                                \
	"  f.refcolumn, f.reftable)"                                                                         \
	" WHEN b.typname = 'uuid' THEN 'pg_catalog.md5(ripcord_n::text)::uuid'"                              \
	" WHEN b.typname = 'bytea' THEN 'pg_catalog.decode(pg_catalog.md5(ripcord_n::text), ''hex'')'"       \
	" WHEN b.typname IN ('json', 'jsonb') THEN"                                                          \
	"  pg_catalog.format('pg_catalog.json_build_object(''n'', ripcord_n)::text::%s', t.type)"            \
	" WHEN b.typname IN ('date', 'timestamp', 'timestamptz', 'time', 'timetz') THEN pg_catalog.format("  \
	"  '(''2020-01-01 00:00:00+00''::timestamptz + ripcord_n * ''1 day 1 second''::interval)::%s', "     \
	"t.type)"                                                                                            \
	" WHEN b.typcategory = 'B' THEN '(ripcord_n % 2 = 0)'"                                               \
	" WHEN b.typcategory = 'T' THEN pg_catalog.format('(ripcord_n * ''1 hour''::interval)::%s', t.type)" \
	" WHEN b.typcategory = 'E' THEN pg_catalog.format('(pg_catalog.enum_range(NULL::%1$s))"              \
	"[1 + (ripcord_n - 1) %% greatest(pg_catalog.cardinality(pg_catalog.enum_range(NULL::%1$s)), 1)]', " \
	"t.type)"                                                                                            \
	" WHEN b.typcategory = 'I' THEN pg_catalog.format('(''10.0.0.0''::inet + ripcord_n)::%s', t.type)"   \
	" WHEN b.typcategory = 'A' THEN pg_catalog.format('''{}''::%s', t.type)"                             \
	" WHEN b.typcategory = 'R' THEN pg_catalog.format('''empty''::%s', t.type)"                          \
	" WHEN b.typcategory = 'V' THEN pg_catalog.format('B''1''::%s', t.type)"                             \
	" WHEN b.typname = 'point' THEN 'pg_catalog.point(ripcord_n, ripcord_n)'"                            \
	" ELSE pg_catalog.format('ripcord_n::text::%s', t.type) END"

/*
 * A row a table that may be filled: its name, and the columns and values of the full row and of the least one that
 * NOT NULL asks for.  Partitions get theirs through their parent.
 */
static const char fill_sql[] =
	"SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),"
	" coalesce(pg_catalog.string_agg(v.name, ', ' ORDER BY v.attnum) FILTER (WHERE v.attnotnull OR "
	"v.known), ''),"
	" coalesce(pg_catalog.string_agg(v.value, ', ' ORDER BY v.attnum) FILTER (WHERE v.attnotnull OR "
	"v.known), ''),"
	" coalesce(pg_catalog.string_agg(v.name, ', ' ORDER BY v.attnum) FILTER (WHERE v.attnotnull), ''),"
	" coalesce(pg_catalog.string_agg(v.value, ', ' ORDER BY v.attnum) FILTER (WHERE v.attnotnull), '')"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN LATERAL (SELECT a.attnum, a.attnotnull, pg_catalog.quote_ident(a.attname) AS name, " VALUE
	" AS value,"
	"   b.typcategory NOT IN ('U', 'G', 'X', 'Z') OR b.typname IN ('uuid', 'bytea', 'json', 'jsonb', "
	"'xml', 'point')"
	"    AS known"
	"  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
	"  JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN y.typtype = 'd' THEN y.typbasetype ELSE y.oid END"
	"  CROSS JOIN LATERAL (SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) AS type) t"
	"  LEFT JOIN LATERAL (SELECT pg_catalog.format('%I.%I', rn.nspname, r.relname) AS reftable,"
	"    ra.attname AS refcolumn FROM pg_catalog.pg_constraint k"
	"    JOIN pg_catalog.pg_class r ON r.oid = k.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = "
	"r.relnamespace"
	"    JOIN pg_catalog.pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = k.confkey[1]"
	"    WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum] LIMIT 1) f ON true"
	"  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.atthasdef AND "
	"a.attidentity = ''"
	"  AND b.typtype <> 'c') v ON true"
	" WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND" PROVE_OWN_TABLE
	" GROUP BY 1 ORDER BY 1";

enum fill_column { FILL_TABLE, FILL_NAMES, FILL_VALUES, FILL_LEAST_NAMES, FILL_LEAST_VALUES };

/* The tables to fill, and which are done. */
struct filling {
	struct db *db;
	struct rows *tables; /* of fill_sql */
	bool *filled;
	int64_t n;
	struct strv *named; /* those that got rows; may be NULL */
};

static char *insert_sql(const struct filling *f, size_t i, bool least)
{
	const struct rows *r = f->tables;
	const char *names = rows_get(r, i, least ? FILL_LEAST_NAMES : FILL_NAMES),
		   *values = rows_get(r, i, least ? FILL_LEAST_VALUES : FILL_VALUES);

	return mem_fmt(
		"INSERT INTO %s%s%s%s SELECT %s FROM pg_catalog.generate_series(1, %" PRId64 ") s(ripcord_n)",
		rows_get(r, i, FILL_TABLE), *names ? " (" : "", names, *names ? ")" : "", values, f->n);
}

bool prove_is_empty(struct db *db, const char *table, bool *empty, struct err *err)
{
	cleanup_free char *sql = mem_fmt("SELECT count(*) FROM (SELECT FROM %s LIMIT 1) t", table);
	int64_t n;

	if (!db_int(db, sql, DB_NO_ARGS, &n, err))
		return false;
	*empty = n == 0;
	return true;
}

bool prove_insert(struct db *db, const char *sql, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	bool ok = db_run(db, "BEGIN", err) && db_run(db, sql, err) &&
	          db_query(db, exec_reach_question, DB_NO_ARGS, &r, err) && prove_stays_inside(r, err) &&
	          db_run(db, "COMMIT", err);
	if (!ok)
		db_try(db, "ROLLBACK");
	return ok;
}

/* One that has rows already counts as filled; *why is the least row's error. */
static bool fill_table(struct filling *f, size_t i, struct err *why, struct err *err)
{
	bool empty;

	if (!prove_is_empty(f->db, rows_get(f->tables, i, FILL_TABLE), &empty, err))
		return false;
	f->filled[i] = !empty;
	for (int least = 0; least < 2 && !f->filled[i]; least++) {
		cleanup_free char *sql = insert_sql(f, i, least);
		*why = (struct err)ERR_INIT;
		f->filled[i] = prove_insert(f->db, sql, why);
		if (f->filled[i] && f->named)
			strv_add(f->named, rows_get(f->tables, i, FILL_TABLE));
		if (!f->filled[i] && (db_is_lost(f->db) || why->code == ERR_CANCELLED)) {
			*err = *why;
			return false;
		}
	}
	return true;
}

/* Foreign keys want their parents first: each round fills what the one before has made possible. */
static bool fill_round(struct filling *f, size_t *more, struct strv *notes, struct err *err)
{
	*more = 0;
	for (size_t i = 0; i < rows_count(f->tables); i++) {
		struct err why = ERR_INIT;
		if (f->filled[i])
			continue;
		if (!fill_table(f, i, &why, err))
			return false;
		*more += f->filled[i];
		if (!f->filled[i] && notes)
			strv_fmt(notes, "no rows were made for %s: %s", rows_get(f->tables, i, FILL_TABLE),
			         why.msg);
	}
	return true;
}

bool prove_fill(struct db *db, const char *version_table, int64_t n, struct strv *filled, struct strv *notes,
                struct err *err)
{
	cleanup_rows struct rows *r = NULL;
	size_t more = 1;

	if (!db_query(db, fill_sql, DB_ARGS(version_table), &r, err))
		return err_wrap(err, "cannot read which tables there are");
	cleanup_free bool *done = mem_new0((rows_count(r) + 1) * sizeof(bool));
	struct filling f = { .db = db, .tables = r, .filled = done, .n = n, .named = filled };
	while (more > 0)
		if (!fill_round(&f, &more, NULL, err))
			return false;
	return fill_round(&f, &more, notes, err);
}

/* ------------------------------------------------------------------ content */

/* The sum over all rows of half an MD5: equal for the same rows in any order. */
#define DIGEST_OF                                                                                            \
	"coalesce(sum(('x' || pg_catalog.left(pg_catalog.md5((%s)::text), 16))::bit(64)::int8), 0)::text"

static const char columns_sql[] =
	"SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(a.attname)"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
	" WHERE c.relkind = 'r' AND" PROVE_OWN_TABLE " ORDER BY 1, a.attnum";

static void add_column(struct buf *sql, const char *column)
{
	cleanup_free char *row = mem_fmt("ROW(t.%s)", column); /* tells NULL from '' */

	buf_fmt(sql, ", " DIGEST_OF, row);
}

/* Rows [from, to) of columns_sql are one table's. */
static bool digest_table(struct db *db, const struct rows *r, size_t from, size_t to, json_t *out,
                         struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	cleanup_rows struct rows *digests = NULL;
	json_t *table = json_object(), *columns = json_object();
	const char *name = rows_get(r, from, 0);

	json_put(table, "columns", columns);
	json_put(out, name, table);
	buf_fmt(&sql, "SELECT count(*)::text, " DIGEST_OF, "ROW(t.*)");
	for (size_t i = from; i < to; i++)
		if (rows_get(r, i, 1))
			add_column(&sql, rows_get(r, i, 1));
	buf_fmt(&sql, " FROM ONLY %s t", name);
	if (!db_query(db, buf_text(&sql), DB_NO_ARGS, &digests, err))
		return err_wrap(err, "cannot read the rows of %s", name);
	json_put(table, "rows", json_str(rows_get(digests, 0, 0)));
	json_put(table, "all", json_str(rows_get(digests, 0, 1)));
	for (size_t i = from; i < to; i++)
		if (rows_get(r, i, 1))
			json_put(columns, rows_get(r, i, 1), json_str(rows_get(digests, 0, i - from + 2)));
	return true;
}

bool prove_content(struct db *db, const char *version_table, json_t **out, struct err *err)
{
	cleanup_json json_t *all = json_object();
	cleanup_rows struct rows *r = NULL;
	size_t to;

	if (!db_query(db, columns_sql, DB_ARGS(version_table), &r, err))
		return err_wrap(err, "cannot read which tables there are");
	for (size_t from = 0; from < rows_count(r); from = to) {
		for (to = from + 1; to < rows_count(r); to++)
			if (strcmp(rows_get(r, to, 0), rows_get(r, from, 0)) != 0)
				break;
		if (!digest_table(db, r, from, to, all, err))
			return false;
	}
	*out = json_incref(all);
	return true;
}

static void table_lost(const char *name, const json_t *was, const json_t *is, struct strv *lost)
{
	const json_t *column;
	const char *key;
	size_t before = lost->n;

	/* Rows that are gone change every column: the table says it in one line. */
	if (json_equal(json_object_get(was, "rows"), json_object_get(is, "rows"))) {
		json_object_foreach((json_t *)(uintptr_t)json_object_get(was, "columns"), key, column)
		{
			if (!json_equal(column, json_object_get(json_object_get(is, "columns"), key)))
				strv_fmt(lost, "column %s.%s", name, key);
		}
	}
	if (lost->n == before)
		strv_fmt(lost, "table %s", name);
}

void prove_content_lost(const json_t *before, const json_t *after, struct strv *lost)
{
	const json_t *was;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)before, name, was)
	{
		const json_t *is = json_object_get(after, name);
		if (!json_equal(was, is))
			table_lost(name, was, is, lost);
	}
}
