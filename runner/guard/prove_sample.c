/*
 * Rows of a backup for a revision to be tried with.
 *
 * In the restored backup N rows of each table go into a temporary table of ours: the first ones by the primary key of those
 * whose foreign keys lead to rows that were taken.  From there they are copied into tables of the same name that have none.
 */
#include "runner/guard/prove.h"

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 20 }; /* bytes of rows that are sent together */

/* Rows of taken_sql that were taken of each table; below 0 the server would not give them. */
struct prove_rows {
	struct db *copy;
	struct rows *tables;
	int64_t *taken;
	char *columns;   /* {table: {column: type}} */
	char *sequences; /* {sequence: last value} */
};

/* The text of a copied row is the same wherever it is read. */
#define PLAIN_TEXT "DateStyle = 'ISO, YMD'"
#define PLAIN_SPAN "IntervalStyle = 'postgres'"

/* A column's type by its names, since its OID is another in each database. */
#define TYPE                                                                                                 \
	"(SELECT pg_catalog.format('%I.%I %s', tn.nspname, t.typname, a.atttypmod) FROM pg_catalog.pg_type " \
	"t"                                                                                                  \
	"  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace WHERE t.oid = a.atttypid)"
#define NAME "pg_catalog.format('%I.%I', n.nspname, c.relname)"

/* ------------------------------------------------------------------ taking */

static const char taken_sql[] =
	"SELECT " NAME ", c.oid::text, CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END,"
	" coalesce((SELECT ' ORDER BY ' || pg_catalog.string_agg('s.' || pg_catalog.quote_ident(a.attname), "
	"', '"
	"   ORDER BY k.at) FROM pg_catalog.pg_index x"
	"  CROSS JOIN LATERAL pg_catalog.unnest(x.indkey::int2[]) WITH ORDINALITY k(num, at)"
	"  JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.num"
	"  WHERE x.indrelid = c.oid AND x.indisprimary), '')"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND" PROVE_OWN_TABLE " ORDER BY 1";

enum taken_column { TAKEN_NAME, TAKEN_OID, TAKEN_ONLY, TAKEN_ORDER };

/* Child, parent, and what is true of a row s of the child whose reference is in the parent's sample. */
static const char taken_keys_sql[] =
	"SELECT k.conrelid::text, k.confrelid::text, '(' ||"
	" pg_catalog.string_agg(pg_catalog.format('s.%I IS NULL', a.attname), ' OR ') ||"
	" pg_catalog.format(' OR EXISTS (SELECT FROM pg_temp.%I p WHERE ', 'ripcord_' || k.confrelid) ||"
	" pg_catalog.string_agg(pg_catalog.format('p.%I = s.%I', pa.attname, a.attname), ' AND ') || '))'"
	" FROM pg_catalog.pg_constraint k CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), "
	"pg_catalog.unnest(k.confkey)) u(child, parent)"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.child"
	" JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = u.parent"
	" WHERE k.contype = 'f' AND k.conparentid = 0 GROUP BY k.oid, k.conrelid, k.confrelid";

enum key_column { KEY_CHILD, KEY_PARENT, KEY_CONDITION };

static const char columns_sql[] =
	"SELECT coalesce(pg_catalog.json_object_agg(x.name, x.columns), '{}')::text FROM ("
	"SELECT " NAME " AS name, pg_catalog.json_object_agg(a.attname, " TYPE ") AS columns"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
	" WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND" PROVE_OWN_TABLE " GROUP BY 1) x";

static const char sequences_sql[] =
	"SELECT coalesce(pg_catalog.json_object_agg(pg_catalog.format('%I.%I', schemaname, sequencename), "
	"last_value) FILTER (WHERE last_value IS NOT NULL), '{}')::text FROM pg_catalog.pg_sequences";

struct taking {
	struct db *db;
	const struct rows *tables, *keys;
	int64_t *taken;
	bool *done;
	int64_t n;
};

static bool is_fatal(const struct db *db, const struct err *why)
{
	return db_is_lost(db) || why->code == ERR_CANCELLED || cancel_requested();
}

static size_t find_row(const struct rows *r, size_t column, const char *text)
{
	size_t i = 0;

	while (i < rows_count(r) && strcmp(rows_get(r, i, column), text) != 0)
		i++;
	return i;
}

/* Whether the table can be asked for: what it refers to is there.  Keys that lead to it itself, or in a circle, are left to
 * prune(). */
static bool add_conditions(const struct taking *t, size_t table, bool force, struct buf *sql)
{
	const char *oid = rows_get(t->tables, table, TAKEN_OID);
	const char *word = " WHERE ";

	for (size_t i = 0; i < rows_count(t->keys); i++) {
		const char *parent = rows_get(t->keys, i, KEY_PARENT);
		size_t at = find_row(t->tables, TAKEN_OID, parent);
		if (strcmp(rows_get(t->keys, i, KEY_CHILD), oid) != 0 || strcmp(parent, oid) == 0 ||
		    at == rows_count(t->tables))
			continue;
		if (!t->done[at] && !force)
			return false;
		if (!t->done[at])
			continue;
		buf_fmt(sql, "%s%s", word, rows_get(t->keys, i, KEY_CONDITION));
		word = " AND ";
	}
	return true;
}

/* *more: the table is done with, as far as it goes. */
static bool take_table(struct taking *t, size_t i, bool force, bool *more, struct err *err)
{
	const char *oid = rows_get(t->tables, i, TAKEN_OID);
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	cleanup_free char *count = mem_fmt("SELECT count(*) FROM pg_temp.ripcord_%s", oid);
	struct err why = ERR_INIT;

	buf_fmt(&sql, "CREATE TEMP TABLE ripcord_%s AS SELECT s.* FROM %s%s s", oid,
	        rows_get(t->tables, i, TAKEN_ONLY), rows_get(t->tables, i, TAKEN_NAME));
	*more = add_conditions(t, i, force, &sql);
	if (!*more)
		return true;
	t->done[i] = true;
	buf_fmt(&sql, "%s LIMIT %" PRId64, rows_get(t->tables, i, TAKEN_ORDER), t->n);
	if (db_run(t->db, buf_text(&sql), &why) && db_int(t->db, count, DB_NO_ARGS, &t->taken[i], &why))
		return true;
	t->taken[i] = -1;
	if (!is_fatal(t->db, &why))
		return true;
	*err = why;
	return false;
}

static bool take_round(struct taking *t, bool force, bool *any, struct err *err)
{
	*any = false;
	for (size_t i = 0; i < rows_count(t->tables); i++) {
		bool more = false;
		if (!t->done[i] && !take_table(t, i, force, &more, err))
			return false;
		*any = *any || more;
		if (force && more)
			return true; /* what the others wait for may be there now */
	}
	return true;
}

static bool take_all(struct taking *t, struct err *err)
{
	bool any = true, forced = true;

	while (any || forced) {
		if (!take_round(t, false, &any, err) || (!any && !take_round(t, true, &forced, err)))
			return false;
	}
	return true;
}

/* Rows whose reference was not taken go, and those that referred to them. */
static bool prune(const struct taking *t, struct err *err)
{
	int64_t n, sum = 1;

	while (sum > 0) {
		sum = 0;
		for (size_t i = 0; i < rows_count(t->keys); i++) {
			size_t child = find_row(t->tables, TAKEN_OID, rows_get(t->keys, i, KEY_CHILD)),
			       parent = find_row(t->tables, TAKEN_OID, rows_get(t->keys, i, KEY_PARENT));
			if (child == rows_count(t->tables) || parent == rows_count(t->tables) ||
			    t->taken[child] <= 0 || t->taken[parent] < 0)
				continue;
			cleanup_free char *sql =
				mem_fmt("WITH d AS (DELETE FROM pg_temp.ripcord_%s s WHERE NOT %s RETURNING "
			                "1) SELECT "
			                "count(*) FROM d",
			                rows_get(t->keys, i, KEY_CHILD), rows_get(t->keys, i, KEY_CONDITION));
			if (!db_int(t->db, sql, DB_NO_ARGS, &n, err))
				return false;
			t->taken[child] -= n;
			sum += n;
		}
	}
	return true;
}

bool prove_rows_take(struct db *copy, const char *version_table, int64_t n, struct prove_rows **out,
                     struct err *err)
{
	cleanup_rows struct rows *keys = NULL;
	struct prove_rows *p = mem_new0(sizeof(*p));

	p->copy = copy;
	if (!db_run(copy, "SET " PLAIN_TEXT "; SET " PLAIN_SPAN "; SET extra_float_digits = 3", err) ||
	    !db_query(copy, taken_sql, DB_ARGS(version_table), &p->tables, err) ||
	    !db_query(copy, taken_keys_sql, DB_NO_ARGS, &keys, err) ||
	    !db_value(copy, columns_sql, DB_ARGS(version_table), &p->columns, err) ||
	    !db_value(copy, sequences_sql, DB_NO_ARGS, &p->sequences, err)) {
		prove_rows_free(p);
		return err_wrap(err, "cannot read which tables the backup has");
	}
	db_hide_words(copy, true);
	p->taken = mem_new0((rows_count(p->tables) + 1) * sizeof(*p->taken));
	cleanup_free bool *done = mem_new0((rows_count(p->tables) + 1) * sizeof(*done));
	struct taking t = {
		.db = copy, .tables = p->tables, .keys = keys, .taken = p->taken, .done = done, .n = n
	};
	if (!take_all(&t, err) || !prune(&t, err)) {
		prove_rows_free(p);
		return err_wrap(err, "cannot take rows of the backup");
	}
	*out = p;
	return true;
}

void prove_rows_free(struct prove_rows *rows)
{
	if (!rows)
		return;
	rows_free(rows->tables);
	free(rows->taken);
	free(rows->columns);
	free(rows->sequences);
	free(rows);
}

bool prove_rows_lost(const struct prove_rows *rows) { return db_is_lost(rows->copy); }

/* ------------------------------------------------------------------ putting */

#define IS_COMMON "((($2::pg_catalog.jsonb) -> " NAME ") ->> a.attname) = " TYPE

/* Each table, and the columns that it has in common with the backup's. */
static const char put_sql[] =
	"SELECT " NAME ", coalesce(pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY "
	"a.attnum)"
	" FILTER (WHERE a.attgenerated = '' AND " IS_COMMON "), '')"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
	" WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND" PROVE_OWN_TABLE " GROUP BY 1 ORDER BY "
	"1";

enum put_column { PUT_NAME, PUT_COLUMNS };

/* As taken_keys_sql, by names; of keys whose columns are copied. */
static const char put_keys_sql[] =
	"SELECT " NAME ", pg_catalog.format('%I.%I', pn.nspname, pc.relname), '(' ||"
	" pg_catalog.string_agg(pg_catalog.format('s.%I IS NULL', a.attname), ' OR ') || ' OR EXISTS (SELECT "
	"FROM ' ||"
	" CASE WHEN pc.oid = c.oid THEN 'pg_temp.ripcord_copy' ELSE pg_catalog.format('%I.%I', pn.nspname, "
	"pc.relname) END"
	" || ' p WHERE ' || pg_catalog.string_agg(pg_catalog.format('p.%I = s.%I', pa.attname, a.attname), ' "
	"AND ')"
	" || '))' FROM pg_catalog.pg_constraint k"
	" JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = "
	"c.relnamespace"
	" JOIN pg_catalog.pg_class pc ON pc.oid = k.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = "
	"pc.relnamespace"
	" CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) u(child, "
	"parent)"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.child"
	" JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = u.parent"
	" WHERE k.contype = 'f' AND k.conparentid = 0 AND" PROVE_OWN_TABLE
	" GROUP BY k.oid, c.oid, n.nspname, c.relname, pc.oid, pn.nspname, pc.relname"
	" HAVING pg_catalog.bool_and(coalesce(" IS_COMMON ", false))";

struct putting {
	const struct prove_rows *from;
	struct db *db;
	const struct rows *tables, *keys;
	bool *done;
	struct strv *copied, *notes;
};

struct pipe_rows {
	struct db *to;
	const char *sql;
	struct buf data;
};

static bool send_rows(struct pipe_rows *p, struct err *err)
{
	bool ok = p->data.len == 0 || db_copy_in(p->to, p->sql, p->data.data, p->data.len, err);

	buf_clear(&p->data);
	return ok;
}

static bool pass_row(void *ctx, const char *data, size_t len, struct err *err)
{
	struct pipe_rows *p = ctx;

	buf_add(&p->data, data, len);
	return p->data.len < CHUNK || send_rows(p, err);
}

/* Into a temporary table first: what refers to rows that are not there stays behind. */
static bool copy_rows(const struct putting *p, size_t i, size_t from, struct err *err)
{
	const char *columns = rows_get(p->tables, i, PUT_COLUMNS);
	cleanup_free char *make = mem_fmt("BEGIN; SET LOCAL " PLAIN_TEXT "; SET LOCAL " PLAIN_SPAN ";"
	                                  " CREATE TEMP TABLE ripcord_copy AS SELECT %s FROM %s LIMIT 0",
	                                  columns, rows_get(p->tables, i, PUT_NAME)),
			  *out = mem_fmt("COPY (SELECT %s FROM pg_temp.ripcord_%s) TO STDOUT", columns,
	                                 rows_get(p->from->tables, from, TAKEN_OID)),
			  *in = mem_fmt("COPY pg_temp.ripcord_copy (%s) FROM STDIN", columns);
	struct pipe_rows pipe = { .to = p->db, .sql = in, .data = BUF_INIT(2 * BUF_TEXT_MAX) };

	bool ok = db_run(p->db, make, err) && db_copy_out(p->from->copy, out, pass_row, &pipe, err) &&
	          send_rows(&pipe, err) && db_run(p->db, "COMMIT", err);
	if (!ok)
		db_try(p->db, "ROLLBACK");
	buf_clear(&pipe.data);
	return ok;
}

static bool insert_rows(const struct putting *p, size_t i, bool *any, struct err *err)
{
	const char *columns = rows_get(p->tables, i, PUT_COLUMNS), *name = rows_get(p->tables, i, PUT_NAME);
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	const char *word = " WHERE ";
	bool empty = true;

	buf_fmt(&sql, "INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM pg_temp.ripcord_copy s",
	        name, columns, columns);
	for (size_t k = 0; k < rows_count(p->keys); k++) {
		if (strcmp(rows_get(p->keys, k, KEY_CHILD), name) != 0)
			continue;
		buf_fmt(&sql, "%s%s", word, rows_get(p->keys, k, KEY_CONDITION));
		word = " AND ";
	}
	bool ok = prove_insert(p->db, buf_text(&sql), err) && prove_is_empty(p->db, name, &empty, err);
	*any = !empty;
	return ok;
}

static bool put_rows(const struct putting *p, size_t i, size_t from, bool *any, struct err *err)
{
	*any = false;
	bool ok = copy_rows(p, i, from, err) && insert_rows(p, i, any, err);

	db_try(p->db, "DROP TABLE IF EXISTS pg_temp.ripcord_copy");
	return ok;
}

static const char *why_nothing(const struct putting *p, size_t i, size_t from)
{
	if (from == rows_count(p->from->tables))
		return "the backup has no such table";
	if (p->from->taken[from] < 0)
		return "the backup's cannot be read";
	if (p->from->taken[from] == 0)
		return "the backup has none, or none that refer to rows that were taken";
	return *rows_get(p->tables, i, PUT_COLUMNS) ? NULL : "no column of the backup's has the same type";
}

/* One that has rows already keeps them. */
static bool put_table(struct putting *p, size_t i, struct err *err)
{
	const char *name = rows_get(p->tables, i, PUT_NAME);
	const size_t from = find_row(p->from->tables, TAKEN_NAME, name);
	const char *nothing = why_nothing(p, i, from);
	struct err why = ERR_INIT;
	bool empty, any = false;

	p->done[i] = true;
	if (!prove_is_empty(p->db, name, &empty, err))
		return false;
	if (!empty)
		return true;
	if (!nothing && !put_rows(p, i, from, &any, &why)) {
		if (is_fatal(p->db, &why) || db_is_lost(p->from->copy)) {
			*err = why;
			return false;
		}
		strv_fmt(p->notes, "no rows were copied for %s: %s", name, why.msg);
		return true;
	}
	if (any)
		strv_add(p->copied, name);
	else
		strv_fmt(p->notes, "no rows were copied for %s: %s", name,
		         nothing ? nothing : "what they refer to is not there");
	return true;
}

static bool waits(const struct putting *p, size_t i)
{
	const char *name = rows_get(p->tables, i, PUT_NAME);

	for (size_t k = 0; k < rows_count(p->keys); k++) {
		const char *parent = rows_get(p->keys, k, KEY_PARENT);
		size_t at = find_row(p->tables, PUT_NAME, parent);
		if (strcmp(rows_get(p->keys, k, KEY_CHILD), name) == 0 && strcmp(parent, name) != 0 &&
		    at < rows_count(p->tables) && !p->done[at])
			return true;
	}
	return false;
}

/* Parents first; in a circle somebody has to begin. */
static bool put_all(struct putting *p, struct err *err)
{
	for (bool force = false;;) {
		size_t any = 0, left = 0;
		for (size_t i = 0; i < rows_count(p->tables); i++) {
			if (p->done[i])
				continue;
			left++;
			if (waits(p, i) && !(force && any == 0))
				continue;
			any++;
			if (!put_table(p, i, err))
				return false;
		}
		if (left == 0)
			return true;
		force = any == 0;
	}
}

/* A revision that inserts takes its numbers from behind those of the backup, as it would there. */
static const char advance_sql[] =
	"SELECT count(pg_catalog.setval(c.oid, v.last::int8)) FROM "
	"pg_catalog.json_each_text($1::pg_catalog.json) "
	"v(name, last)"
	" JOIN pg_catalog.pg_class c ON c.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = "
	"c.relnamespace AND " NAME " = v.name"
	" JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid"
	" WHERE s.seqincrement > 0 AND v.last::int8 BETWEEN s.seqmin AND s.seqmax"
	" AND coalesce(pg_catalog.pg_sequence_last_value(c.oid) < v.last::int8, true)";

bool prove_rows_put(const struct prove_rows *rows, struct db *db, const char *version_table,
                    struct strv *copied, struct strv *notes, struct err *err)
{
	cleanup_rows struct rows *tables = NULL, *keys = NULL;
	int64_t n;

	if (!db_query(db, put_sql, DB_ARGS(version_table, rows->columns), &tables, err) ||
	    !db_query(db, put_keys_sql, DB_ARGS(version_table, rows->columns), &keys, err))
		return err_wrap(err, "cannot read which tables there are");
	cleanup_free bool *done = mem_new0((rows_count(tables) + 1) * sizeof(*done));
	struct putting p = { .from = rows,
		             .db = db,
		             .tables = tables,
		             .keys = keys,
		             .done = done,
		             .copied = copied,
		             .notes = notes };
	if (!put_all(&p, err))
		return false;
	struct err why = ERR_INIT;
	if (db_int(db, advance_sql, DB_ARGS(rows->sequences), &n, &why))
		return true;
	if (!is_fatal(db, &why)) {
		strv_fmt(notes, "the sequences were not set on: %s", why.msg);
		return true;
	}
	*err = why;
	return false;
}
