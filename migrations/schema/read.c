#include "migrations/schema/kinds/kinds.h"
#include "migrations/schema/normal.h"
#include "migrations/schema/store.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/strv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is left out, once for all queries, and which kinds there are at all.  What belongs to the version table hangs
 * on it by automatic and internal dependencies (columns' defaults, constraints, their indexes); what is in a
 * schema by normal ones. */
static const char LOOK_AT[] =
	"WITH RECURSIVE hidden(classid, objid) AS ("
	"SELECT 'pg_namespace'::regclass::oid, oid FROM pg_namespace WHERE nspname = 'ripcord'"
	" OR nspname ~ '^pg_temp_'"
	" UNION SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class c WHERE c.oid = to_regclass(%L)"
	" UNION SELECT d.classid, d.objid FROM hidden h JOIN pg_depend d ON d.refclassid = h.classid"
	" AND d.refobjid = h.objid AND (d.deptype IN ('a', 'i') OR h.classid = 'pg_namespace'::regclass)), "
	"member(classid, objid) AS (SELECT classid, objid FROM pg_depend"
	" WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e') "
	"SELECT h.classes::text, h.objects::text, m.classes::text, m.objects::text";
static const char LOOK_IN[] =
	" FROM (SELECT coalesce(array_agg(classid), '{}'), coalesce(array_agg(objid), '{}') FROM hidden)"
	" h(classes, objects),"
	" (SELECT coalesce(array_agg(classid), '{}'), coalesce(array_agg(objid), '{}') FROM member)"
	" m(classes, objects)";
enum { LOOK_KINDS = 4 }; /* the answer's columns behind those arrays: whether there are any, by kind */

/* The common tables of kinds/kinds.h, from the look's answer: four arrays of OIDs. */
static const char COMMON[] =
	"WITH hidden(classid, objid) AS (SELECT * FROM unnest('%s'::oid[], '%s'::oid[])), "
	"outside(classid, objid) AS (SELECT * FROM hidden"
	" UNION ALL SELECT * FROM unnest('%s'::oid[], '%s'::oid[])), "
	"space(oid, name) AS (SELECT oid, quote_ident(nspname) FROM pg_namespace"
	" WHERE nspname !~ '^pg_(toast|temp)'), "
	"relation(oid, relkind, relowner, name) AS (SELECT c.oid, c.relkind, c.relowner,"
	" space.name || '.' || quote_ident(c.relname) FROM pg_class c JOIN space ON space.oid = "
	"c.relnamespace) ";

/* What changes deparsed text (schema_notes.md B8, each seen to).  pg_temp comes last, so that no temporary
 * table stands before a catalog.  A database that knows no encoding holds any bytes: they are wanted as they are. */
static const char SETTINGS[] =
	"SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL quote_all_identifiers = off;"
	" SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = postgres; SET LOCAL TimeZone = 'UTC';"
	" SET LOCAL bytea_output = hex; SET LOCAL extra_float_digits = 3; SET LOCAL lc_monetary = 'C';"
	" SET LOCAL standard_conforming_strings = on; SET LOCAL jit = off;"
	" SELECT set_config('client_encoding', 'SQL_ASCII', true) WHERE getdatabaseencoding() = 'SQL_ASCII'";

static const struct kind_list *const DATABASE_KINDS[] = {
	&KINDS_RELATIONS,   &KINDS_COLUMNS,
	&KINDS_CONSTRAINTS, &KINDS_ROUTINES,
	&KINDS_TYPES,       &KINDS_OPERATORS,
	&KINDS_SECURITY,    &KINDS_REPLICATION,
	&KINDS_EXTENSIONS,  &KINDS_TEXTSEARCH,
	&KINDS_FOREIGN,     &KINDS_DATABASE,
	&KINDS_UNMODELLED,  NULL,
};
static const struct kind_list *const DATABASE_AND_PARTS[] = {
	&KINDS_RELATIONS, &KINDS_COLUMNS,    &KINDS_CONSTRAINTS, &KINDS_ROUTINES,   &KINDS_TYPES,
	&KINDS_OPERATORS, &KINDS_SECURITY,   &KINDS_REPLICATION, &KINDS_EXTENSIONS, &KINDS_TEXTSEARCH,
	&KINDS_FOREIGN,   &KINDS_UNMODELLED, &KINDS_PARTS,       &KINDS_BASES,      NULL,
};
static const struct kind_list *const UNMODELLED_KINDS[] = { &KINDS_UNMODELLED, NULL };
static const struct kind_list *const CLUSTER_KINDS[] = { &KINDS_ROLES, NULL };

/* The queries of one reading that suit the server, and their results. */
struct reading {
	struct strv sql;
	const struct kind_query **queries; /* sql.n of them, as rows */
	struct rows **rows;
	size_t unparsed; /* texts that the parser did not know */
};

static void reading_clear(struct reading *r)
{
	for (size_t i = 0; r->rows && i < r->sql.n; i++)
		rows_free(r->rows[i]);
	free(r->rows);
	free(r->queries);
	strv_clear(&r->sql);
}

#define cleanup_reading __attribute__((cleanup(reading_clear)))

static bool suits(const struct kind_query *q, int major)
{
	return major >= q->since && (q->until == 0 || major < q->until);
}

static void add_query(struct reading *r, const struct kind_query *q, const char *common)
{
	r->queries = mem_grow(r->queries, r->sql.n + 1, sizeof(struct kind_query *));
	r->queries[r->sql.n] = q;
	strv_fmt(&r->sql, "%s%s", common, q->sql);
}

/* The next one that suits the server, from *list and *place on; NULL: there is none. */
static const struct kind_query *next_query(const struct kind_list *const **list, size_t *place, int major)
{
	for (; **list; (*list)++, *place = 0)
		while (*place < (**list)->n) {
			const struct kind_query *q = &(**list)->queries[(*place)++];
			if (suits(q, major))
				return q;
		}
	return NULL;
}

/* Asks what is left out and which kinds there are. */
static bool look(struct db *db, const struct kind_list *const *lists, const char *version_table,
                 struct rows **out, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	int major = db_server_version(db) / 10000;
	size_t place = 0;

	buf_sql(&sql, LOOK_AT, version_table);
	for (const struct kind_query *q; (q = next_query(&lists, &place, major));)
		if (q->if_any)
			buf_fmt(&sql, ", EXISTS (SELECT FROM %s)", q->if_any);
	buf_str(&sql, LOOK_IN);
	return db_query(db, buf_text(&sql), DB_NO_ARGS, out, err);
}

/* The queries that suit the server and have something to find. */
static bool choose_queries(struct db *db, struct reading *r, const struct kind_list *const *lists,
                           const char *version_table, struct err *err)
{
	cleanup_rows struct rows *seen = NULL;
	cleanup_free char *common = NULL;
	int major = db_server_version(db) / 10000;
	size_t place = 0, kind = LOOK_KINDS;

	if (!look(db, lists, version_table, &seen, err))
		return false;
	common = mem_fmt(COMMON, rows_get(seen, 0, 0), rows_get(seen, 0, 1), rows_get(seen, 0, 2),
	                 rows_get(seen, 0, 3));
	for (const struct kind_query *q; (q = next_query(&lists, &place, major));)
		if (!q->if_any || rows_get(seen, 0, kind++)[0] == 't')
			add_query(r, q, common);
	r->rows = mem_new0((r->sql.n + 1) * sizeof(struct rows *));
	return true;
}

/* One column of a query: which attribute it is, and what its text is a part of ("" for plain text). */
struct column {
	const char *name, *context;
	size_t index;
	bool is_bool;
};

/* Splits "default:expression"; returns how many columns are attributes. */
static size_t read_columns(struct schema *s, const struct rows *rows, struct column *columns)
{
	size_t n = 0;

	for (size_t i = 0; i < rows_columns(rows); i++) {
		const char *alias = rows_name(rows, i), *colon = strchr(alias, ':');
		cleanup_free char *name =
			colon ? mem_strndup(alias, (size_t)(colon - alias)) : mem_strdup(alias);

		if (strcmp(name, "name") == 0 || strcmp(name, "kind") == 0 || strcmp(name, "address") == 0)
			continue;
		columns[n++] = (struct column){ .name = schema_keep(s, name),
			                        .context = colon ? schema_keep(s, colon + 1) : "",
			                        .index = i,
			                        .is_bool = rows_is_bool(rows, i) };
	}
	return n;
}

static const char *find_value(const struct rows *rows, size_t row, const char *column)
{
	for (size_t i = 0; i < rows_columns(rows); i++)
		if (strcmp(rows_name(rows, i), column) == 0)
			return rows_get(rows, row, i);
	return NULL;
}

/* False when the object does not have the attribute. */
static bool read_attribute(struct reading *r, struct schema *s, const struct column *c, const char *value,
                           struct attribute *out)
{
	cleanup_free char *form = NULL;
	const char *kept;

	if (!value || (c->is_bool && value[0] == 'f'))
		return false;
	kept = c->is_bool ? "yes" : schema_keep(s, value);
	if (c->context[0] != '\0' && normal_form(c->context, kept, &form) == NORMAL_UNPARSED)
		r->unparsed++;
	*out = (struct attribute){ .name = c->name,
		                   .value = kept,
		                   .form = form ? schema_keep(s, form) : NULL };
	return true;
}

/* An object dropped by another session between the snapshot and pg_identify_object() has no name. */
static bool read_facts(struct reading *r, size_t query, struct schema *s, struct err *err)
{
	const struct rows *rows = r->rows[query];
	const char *kind = r->queries[query]->kind;
	size_t width = rows_columns(rows) + 1;
	cleanup_free struct column *columns = mem_new0(width * sizeof(*columns));
	cleanup_free struct attribute *list = mem_new0(width * sizeof(*list));
	size_t n_columns = read_columns(s, rows, columns);

	for (size_t row = 0; row < rows_count(rows); row++) {
		const char *name = find_value(rows, row, "name"), *own = find_value(rows, row, "kind");
		const char *address = find_value(rows, row, "address");
		size_t n = 0;

		if (!name)
			return err_set(err, ERR_DB, "a %s was dropped while the schema was read", kind);
		for (size_t i = 0; i < n_columns; i++)
			n += read_attribute(r, s, &columns[i], rows_get(rows, row, columns[i].index),
			                    &list[n]);
		schema_add(s, own ? schema_keep(s, own) : kind, schema_keep(s, name), list, n);
		s->facts[s->n - 1].address = address ? schema_keep(s, address) : NULL;
	}
	return true;
}

/* Texts that are compared as they are: a mark, so that nobody wonders about a difference after a restore. */
static void add_text_mode(const struct reading *r, struct schema *s)
{
	cleanup_free char *count = mem_fmt("%zu", r->unparsed);
	struct attribute unparsed = { .name = "unparsed" };

	if (r->unparsed == 0)
		return;
	unparsed.value = schema_keep(s, count);
	schema_add(s, "fingerprint", "text mode", &unparsed, 1);
}

/* In the caller's transaction a savepoint takes the settings back; else the transaction is ours. */
static bool begin(struct db *db, bool own, struct err *err)
{
	return db_runf(db, err, "%s; %s",
	               own ? "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" : "SAVEPOINT ripcord_schema",
	               SETTINGS);
}

static bool end(struct db *db, bool own, struct err *err)
{
	return db_run(db,
	              own ? "ROLLBACK"
	                  : "ROLLBACK TO SAVEPOINT ripcord_schema; RELEASE SAVEPOINT ripcord_schema",
	              err);
}

static bool ask(struct db *db, struct reading *r, const struct kind_list *const *lists,
                const char *version_table, struct err *err)
{
	return choose_queries(db, r, lists, version_table, err) &&
	       db_pipeline(db, (const char *const *)r->sql.v, r->sql.n, r->rows, err);
}

static bool read_all(struct db *db, const struct kind_list *const *lists, const char *version_table,
                     struct schema **out, struct err *err)
{
	cleanup_schema struct schema *s = schema_new();
	cleanup_reading struct reading r = { .sql = STRV_INIT };
	bool own = db_tx_status(db) == 'I', ok;

	if (!begin(db, own, err))
		return err_wrap(err, "cannot read the schema");
	ok = ask(db, &r, lists, version_table, err);
	if (!end(db, own, err) || !ok)
		return err_wrap(err, "cannot read the schema");
	for (size_t i = 0; i < r.sql.n; i++)
		if (!read_facts(&r, i, s, err))
			return false;
	add_text_mode(&r, s);
	schema_seal(s);
	*out = s;
	s = NULL;
	return true;
}

bool schema_read(struct db *db, const struct schema_options *options, struct schema **out, struct err *err)
{
	return read_all(db, DATABASE_KINDS, options ? options->version_table : NULL, out, err);
}

bool schema_read_parts(struct db *db, const struct schema_options *options, struct schema **out,
                       struct err *err)
{
	return read_all(db, DATABASE_AND_PARTS, options ? options->version_table : NULL, out, err);
}

bool schema_read_unmodelled(struct db *db, const struct schema_options *options, struct schema **out,
                            struct err *err)
{
	return read_all(db, UNMODELLED_KINDS, options ? options->version_table : NULL, out, err);
}

bool schema_read_roles(struct db *db, struct schema **out, struct err *err)
{
	return read_all(db, CLUSTER_KINDS, NULL, out, err);
}
