#include "runner/proof/evidence.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_NORMAL_OID = 16384, /* PostgreSQL, access/transam.h */
	PG_LARGEOBJECT = 2613, /* their OIDs are fixed: catalog/pg_largeobject.h, pg_largeobject_metadata.h */
	PG_LARGEOBJECT_METADATA = 2995,
	TABLES_PER_QUERY = 50,
	IDS_AHEAD = 1000000, /* that may be taken while the rows are looked at */
};

struct look {
	struct db *db;
	const struct evidence *e;
	struct foreign_writes *out;
	bool believed; /* the counters go on from the baseline: what they call quiet is quiet */
	bool vanished; /* and they say that tables that are gone had been written to */
	char *newer;   /* SQL: row t was written after the snapshot, and not by this run */
};

/* ------------------------------------------------------------------ what the counters still tell */

static const struct relation_counts *relation_of(const struct counters *c, int64_t oid)
{
	return relation_counts_find(c->relations, c->n_relations, oid);
}

static struct tuples own_rows(const struct own_share *own, int64_t oid)
{
	const struct relation_counts *ours = own_share_of(own, oid);

	return ours ? ours->rows : (struct tuples){ 0, 0, 0 };
}

static bool same(struct tuples a, struct tuples b)
{
	return a.inserted == b.inserted && a.updated == b.updated && a.deleted == b.deleted;
}

/* Its counters have grown by what this run is known to have written, and by nothing else. */
static bool is_quiet(const struct look *l, int64_t oid)
{
	const struct relation_counts *was = relation_of(l->e->before, oid), *is = relation_of(l->e->now, oid);
	struct tuples own = own_rows(l->e->own, oid);

	if (!l->believed || !is)
		return false;
	if (was) {
		own.inserted += was->rows.inserted;
		own.updated += was->rows.updated;
		own.deleted += was->rows.deleted;
	}
	return same(is->rows, own);
}

/* ------------------------------------------------------------------ ids */

/* *running: the list behind the second colon, in the text. */
static bool parse_snapshot(const char *text, int64_t *xmin, int64_t *xmax, const char **running)
{
	const char *first = text ? strchr(text, ':') : NULL, *second = first ? strchr(first + 1, ':') : NULL;

	if (!second)
		return false;
	cleanup_free char *low = mem_strndup(text, (size_t)(first - text));
	cleanup_free char *high = mem_strndup(first + 1, (size_t)(second - first - 1));
	*running = second + 1;
	return text_to_int64(low, xmin) && text_to_int64(high, xmax);
}

/*
 * xmin has 32 bits of a transaction's id.  age() sorts out all but the newest rows cheaply; of those the whole id is
 * worked out, as the newest one below `bound` that ends so, and compared with the snapshot's
 * (xmin:xmax:xip_list, "Snapshot Components" in PostgreSQL's manual).
 */
static bool find_newer(struct look *l, struct err *err)
{
	const char *running;
	int64_t xmin, xmax, next;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!parse_snapshot(l->e->snapshot, &xmin, &xmax, &running)) {
		foreign_writes_doubt(l->out, "the backup's snapshot is not known");
		return true;
	}
	if (!db_int(l->db, "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8",
	            DB_NO_ARGS, &next, err))
		return false;
	if (next < xmin || next - xmin + IDS_AHEAD > INT32_MAX) {
		foreign_writes_doubt(l->out, "the backup's snapshot %s is not of this cluster's last ids",
		                     l->e->snapshot);
		return true;
	}
	long long bound = next + IDS_AHEAD;
	cleanup_free char *id = sql_fmt("(%lld - ((%lld - t.xmin::text::int8) & 4294967295))", bound, bound);
	cleanup_free char *ids = mem_fmt("{%s}", running);
	buf_sql(&sql, "pg_catalog.age(t.xmin) BETWEEN 0 AND %lld AND (%s >= %lld OR %s = ANY (%L::int8[]))",
	        bound - xmin, id, (long long)xmax, id, ids);
	if (l->e->units->n)
		buf_sql(&sql,
		        " AND NOT t.xmin = ANY (ARRAY(SELECT u.xmin FROM ripcord.unit u WHERE u.run = %L"
		        " UNION ALL SELECT pg_catalog.unnest(u.ids) FROM ripcord.unit u WHERE u.run = %L))",
		        l->e->run, l->e->run);
	l->newer = mem_strdup(buf_text(&sql));
	return true;
}

/* ------------------------------------------------------------------ rows that a unit may have hidden */

/* Nobody else had written to the table up to the last unit that hid rows of it. */
static bool is_settled(const struct look *l, const struct relation_counts *was)
{
	const struct units *u = l->e->units;
	cleanup_free char *since = counters_since(l->e->before);
	const struct hidden *last = NULL;
	int64_t filenode = was->filenode;

	for (size_t i = 0; i < u->n_hidden; i++) {
		const struct hidden *h = &u->hidden[i];
		if (h->oid != was->oid)
			continue;
		if (h->own.updated || h->own.deleted || h->filenode != filenode)
			last = h;
		filenode = h->filenode;
	}
	return !last || last->fenced ||
	       (last->others == 0 && strcmp(last->since, since) == 0 && same(last->counted, was->rows));
}

static void check_hidden(struct look *l, const struct relation_counts *was)
{
	if (was->oid != l->e->version_table && !is_settled(l, was))
		foreign_writes_doubt(
			l->out,
			"what others had written to %s before the run changed its rows cannot be "
			"told any more",
			was->name);
}

/* ------------------------------------------------------------------ tables */

static const char tables_sql[] =
	"SELECT c.oid::int8, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relpersistence,"
	" EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = "
	"'pg_catalog.pg_class'::pg_catalog.regclass"
	"  AND d.objid = c.oid AND d.deptype = 'e')"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND c.oid >= 16384"
	" AND n.nspname <> 'ripcord' ORDER BY c.oid";

/* How many rows there must be, if nobody else deleted any; false where nobody knows. */
static bool rows_expected(const struct look *l, const struct relation_counts *was, int64_t oid, int64_t *n)
{
	const json_t *count = was ? json_object_get(l->e->rows, was->name) : NULL;
	struct tuples own = own_rows(&l->e->units->share, oid);

	*n = json_integer_value(count) + own.inserted - own.deleted;
	return !was || json_is_integer(count);
}

static void judge_table(struct look *l, const struct rows *tables, size_t i, int64_t n, int64_t newer)
{
	int64_t oid = rows_int(tables, i, 0), expected;
	const char *name = rows_get(tables, i, 1);
	/* A crash empties unlogged tables; an extension's are not dumped whole. */
	bool is_countable = rows_get(tables, i, 3)[0] == 'f' &&
	                    (rows_get(tables, i, 2)[0] != 'u' || l->believed || n > 0);

	if (newer > 0) {
		strv_fmt(&l->out->lines, "%s: %" PRId64 " rows written", name, newer);
		l->out->rows += newer;
	} else if (is_countable && rows_expected(l, relation_of(l->e->before, oid), oid, &expected) &&
	           n != expected) {
		strv_fmt(&l->out->lines, "%s: %" PRId64 " rows where there should be %" PRId64, name, n,
		         expected);
		l->out->rows += llabs(n - expected);
	}
}

static bool look_at(struct look *l, const struct rows *tables, const size_t *which, size_t n, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	cleanup_rows struct rows *counts = NULL;

	for (size_t i = 0; i < n; i++)
		buf_fmt(&sql, "%sSELECT %zu, count(*), count(*) FILTER (WHERE %s) FROM ONLY %s t",
		        i ? " UNION ALL " : "", which[i], l->newer, rows_get(tables, which[i], 1));
	if (n && !db_query(l->db, buf_text(&sql), DB_NO_ARGS, &counts, err))
		return false;
	for (size_t i = 0; i < n; i++)
		judge_table(l, tables, (size_t)rows_int(counts, i, 0), rows_int(counts, i, 1),
		            rows_int(counts, i, 2));
	return true;
}

static bool look_at_tables(struct look *l, const struct rows *tables, struct err *err)
{
	size_t which[TABLES_PER_QUERY], n = 0;

	for (size_t i = 0; i < rows_count(tables); i++) {
		int64_t oid = rows_int(tables, i, 0);
		const struct relation_counts *was = relation_of(l->e->before, oid);

		if (is_quiet(l, oid))
			continue;
		if (was)
			check_hidden(l, was);
		which[n++] = i;
		if (n == TABLES_PER_QUERY) {
			if (!look_at(l, tables, which, n, err))
				return false;
			n = 0;
		}
	}
	return look_at(l, tables, which, n, err);
}

static bool was_dropped_by_us(const struct look *l, int64_t oid)
{
	const struct units *u = l->e->units;

	for (size_t i = 0; i < u->n_hidden; i++)
		if (u->hidden[i].oid == oid && u->hidden[i].filenode == 0)
			return true;
	return false;
}

/* Tables of before the run that are gone. */
static void look_for_gone(struct look *l, const struct rows *tables)
{
	size_t at = 0;

	for (size_t i = 0; i < l->e->before->n_relations; i++) {
		const struct relation_counts *was = &l->e->before->relations[i];

		while (at < rows_count(tables) && rows_int(tables, at, 0) < was->oid)
			at++;
		bool is_there = at < rows_count(tables) && rows_int(tables, at, 0) == was->oid;
		if (is_there || was->oid < FIRST_NORMAL_OID || was->is_temporary ||
		    text_ends(was->name, " (TOAST)") || text_starts(was->name, "ripcord."))
			continue;
		if (!was_dropped_by_us(l, was->oid))
			strv_fmt(&l->out->lines, "%s: dropped", was->name);
		else if (!l->believed || l->vanished)
			check_hidden(l, was);
	}
}

/* ------------------------------------------------------------------ catalogs */

/* ANALYZE writes the two that are left out; large objects are looked at apart. */
static const char catalogs_sql[] =
	"SELECT c.oid::int8, c.relname FROM pg_catalog.pg_class c"
	" WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relkind = 'r' AND NOT "
	"c.relisshared"
	" AND c.relname NOT IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_largeobject')"
	/* What only a superuser may read are passwords of user mappings: no rows of the database. */
	" AND pg_catalog.has_table_privilege(c.oid, 'SELECT')";

#define AN_INDEX "(SELECT i.oid FROM pg_catalog.pg_class i WHERE i.relkind IN ('i', 'I'))"

struct exception {
	const char *catalog, *condition; /* rows that tell of others */
	bool of_indexes;
};

static const struct exception exceptions[] = {
	/* Made by the first session that has a temporary table, and kept. */
	{ "pg_namespace", "t.nspname !~ '^pg_(toast_)?temp_'", false },
	{ "pg_class", "t.relkind NOT IN ('i', 'I')", true },
	{ "pg_index", "false", true },
	{ "pg_attribute", "t.attrelid NOT IN " AN_INDEX, true },
	{ "pg_depend",
	  "NOT (t.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND t.objid IN " AN_INDEX ")", true },
	{ "pg_description",
	  "NOT (t.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND t.objoid IN " AN_INDEX ")",
	  true },
};

static const char *condition_of(const struct look *l, const char *catalog)
{
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
		if (strcmp(exceptions[i].catalog, catalog) == 0 &&
		    (!exceptions[i].of_indexes || l->e->built_indexes))
			return exceptions[i].condition;
	return "true";
}

static bool look_at_catalogs(struct look *l, struct err *err)
{
	cleanup_rows struct rows *catalogs = NULL, *counts = NULL;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!db_query(l->db, catalogs_sql, DB_NO_ARGS, &catalogs, err))
		return false;
	for (size_t i = 0; i < rows_count(catalogs); i++) {
		const char *name = rows_get(catalogs, i, 1);
		if (!is_quiet(l, rows_int(catalogs, i, 0)))
			buf_sql(&sql, "%sSELECT %L, count(*) FROM pg_catalog.%I t WHERE %s AND %s",
			        sql.len ? " UNION ALL " : "", name, name, l->newer, condition_of(l, name));
	}
	if (sql.len && !db_query(l->db, buf_text(&sql), DB_NO_ARGS, &counts, err))
		return false;
	for (size_t i = 0; counts && i < rows_count(counts); i++)
		if (rows_int(counts, i, 1) > 0) {
			strv_fmt(&l->out->lines, "pg_catalog.%s: %s rows written", rows_get(counts, i, 0),
			         rows_get(counts, i, 1));
			l->out->rows += rows_int(counts, i, 1);
		}
	return true;
}

static bool look_at_large_objects(struct look *l, struct err *err)
{
	int64_t n, may_look, newer;
	struct tuples own = own_rows(&l->e->units->share, PG_LARGEOBJECT_METADATA);

	if (is_quiet(l, PG_LARGEOBJECT) && is_quiet(l, PG_LARGEOBJECT_METADATA))
		return true;
	if (!db_int(l->db, "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata", DB_NO_ARGS, &n, err) ||
	    !db_int(l->db,
	            "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')::int4",
	            DB_NO_ARGS, &may_look, err))
		return false;
	if (l->e->large_objects < 0) {
		foreign_writes_doubt(l->out, "how many large objects there were is not known");
		return true;
	}
	if (n != l->e->large_objects + own.inserted - own.deleted)
		strv_fmt(&l->out->lines, "large objects: %" PRId64 " where there should be %" PRId64, n,
		         l->e->large_objects + own.inserted - own.deleted);
	if (n == 0)
		return true;
	if (!may_look) {
		foreign_writes_doubt(l->out, "only a superuser may look into large objects");
		return true;
	}
	cleanup_free char *sql =
		mem_fmt("SELECT count(*) FROM pg_catalog.pg_largeobject t WHERE %s", l->newer);
	if (!db_int(l->db, sql, DB_NO_ARGS, &newer, err))
		return false;
	if (newer > 0)
		strv_fmt(&l->out->lines, "large objects: %" PRId64 " pages written", newer);
	return true;
}

/* ------------------------------------------------------------------ the rest */

/* A sequence that was moved forward stays there, whichever way back is taken. */
static void look_at_sequences(struct look *l)
{
	const struct counters *before = l->e->before, *now = l->e->now;

	for (size_t b = 0, n = 0; b < before->n_sequences && n < now->n_sequences;) {
		const struct sequence_value *was = &before->sequences[b], *is = &now->sequences[n];
		bool is_same = was->oid == is->oid;

		b += was->oid <= is->oid;
		n += is->oid <= was->oid;
		if (is_same && was->value && is->value && sequence_is_behind(was, is) &&
		    !own_share_has_sequence(l->e->own, is->oid))
			strv_fmt(&l->out->lines, "sequence %s: moved from %s to %s", is->name, was->value,
			         is->value);
	}
}

static void look_at_prepared(struct look *l)
{
	for (size_t i = 0; i < l->e->now->prepared.n; i++)
		strv_fmt(&l->out->lines, "transaction \"%s\" is prepared and has not ended",
		         l->e->now->prepared.v[i]);
}

/* What the counters can say by themselves. */
static bool ask_counters(struct look *l)
{
	struct own_share known = *l->e->own;
	struct foreign_writes f;

	known.unknown = false;
	foreign_writes_count(l->e->before, l->e->now, &known, &f);
	l->believed = f.known;
	l->vanished = f.vanished;
	bool quiet = foreign_writes_none(&f);
	foreign_writes_clear(&f);
	return quiet;
}

static void check_cluster(struct look *l)
{
	const struct counters *before = l->e->before, *now = l->e->now;

	if (!before->system_identifier || strcmp(before->system_identifier, now->system_identifier) != 0)
		foreign_writes_doubt(l->out, "this is another cluster now");
	else if (strcmp(before->timeline, now->timeline) != 0)
		foreign_writes_doubt(l->out, "the server's timeline changed from %s to %s", before->timeline,
		                     now->timeline);
	else if (!l->e->rows)
		foreign_writes_doubt(l->out, "how many rows there were is not known");
}

static bool look_at_all(struct look *l, struct err *err)
{
	cleanup_rows struct rows *tables = NULL;

	if (!db_run(l->db,
	            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off;"
	            " SET LOCAL statement_timeout = 0",
	            err) ||
	    !find_newer(l, err) || !db_query(l->db, tables_sql, DB_NO_ARGS, &tables, err))
		return false;
	if (!l->newer)
		return true;
	look_for_gone(l, tables);
	return look_at_tables(l, tables, err) && look_at_catalogs(l, err) && look_at_large_objects(l, err);
}

bool evidence_count(struct db *db, const struct evidence *e, struct foreign_writes *out, struct err *err)
{
	struct look l = { .db = db, .e = e, .out = out };
	struct err why = ERR_INIT;

	*out = (struct foreign_writes){ .known = true };
	check_cluster(&l);
	if (!out->known || ask_counters(&l))
		return true;
	bool ok = look_at_all(&l, &why);
	free(l.newer);
	db_try(db, "ROLLBACK");
	if (db_is_lost(db) || why.code == ERR_CANCELLED) {
		*err = why;
		return false;
	}
	if (!ok)
		foreign_writes_doubt(out, "%.200s", why.msg);
	look_at_sequences(&l);
	look_at_prepared(&l);
	return true;
}
