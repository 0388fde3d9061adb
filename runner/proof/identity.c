#include "runner/proof/identity.h"

#include <string.h>

/* The version table's rows are the run's own business, and so is the schema ripcord. */
static const char identity_sql[] =
	"SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) || ': ' || c.oid || ' stored in '"
	" || coalesce(pg_catalog.pg_relation_filenode(c.oid)::text, 'none') || coalesce((SELECT "
	"pg_catalog.string_agg("
	"  pg_catalog.format(', %I %s', a.attname, a.attnum), '' ORDER BY a.attnum) FROM "
	"pg_catalog.pg_attribute a"
	"  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'm', 'p', 'S') AND c.relpersistence <> 't' AND c.oid >= 16384"
	" AND n.nspname NOT IN ('ripcord', 'pg_toast')";

bool identity_read(struct db *db, struct identity *out, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, identity_sql, DB_NO_ARGS, &r, err))
		return err_wrap(err, "cannot read which table is stored where");
	*out = (struct identity){ .lines = STRV_INIT };
	for (size_t i = 0; i < rows_count(r); i++)
		strv_add(&out->lines, rows_get(r, i, 0));
	strv_sort(&out->lines);
	return true;
}

void identity_compare(const struct identity *before, const struct identity *after, struct strv *lost)
{
	size_t a = 0;

	for (size_t b = 0; b < before->lines.n; b++) {
		while (a < after->lines.n && strcmp(after->lines.v[a], before->lines.v[b]) < 0)
			a++;
		if (a == after->lines.n || strcmp(after->lines.v[a], before->lines.v[b]) != 0)
			strv_add(lost, before->lines.v[b]);
	}
}

json_t *identity_to_json(const struct identity *id)
{
	json_t *out = json_array();

	for (size_t i = 0; i < id->lines.n; i++)
		json_push(out, json_str(id->lines.v[i]));
	return out;
}

void identity_from_json(const json_t *j, struct identity *out)
{
	for (size_t i = 0; i < json_array_size(j); i++)
		strv_add(&out->lines, json_string_value(json_array_get(j, i)));
	strv_sort(&out->lines);
}

void identity_clear(struct identity *id) { strv_clear(&id->lines); }
