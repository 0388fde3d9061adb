#include "migrations/schema/kinds/kinds.h"

/* Position counts the living columns only: attnum remembers dropped ones.  A storage, collation or
 * statistics target that is the type's or the server's own is no fact.  attndims is not read: PostgreSQL
 * does not enforce it, and text[][] comes back from a restore with another; nor is pg_attver, a mark of
 * the server's own that the minor releases of November 2026 keep among a column's options. */
static const struct kind_query QUERIES[] = {
	{ "column", .sql =
		"SELECT " SUBADDRESS("'pg_class'::regclass::oid", "a.attrelid", "a.attnum") "r.name || '.' || quote_ident(a.attname) AS name,"
		" row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS position,"
		" format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS \"not null\","
		" CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END"
		" AS \"default:expression\","
		" CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END"
		" AS \"generated:expression\","
		" a.attgenerated = 'v' AS virtual,"
		" CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity,"
		" CASE WHEN a.attcollation <> t.typcollation THEN"
		" (SELECT n.name || '.' || quote_ident(l.collname) FROM pg_collation l"
		" JOIN space n ON n.oid = l.collnamespace"
		" WHERE l.oid = a.attcollation) END AS collation,"
		" CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'plain'"
		" WHEN 'e' THEN 'external'"
		" WHEN 'm' THEN 'main' ELSE 'extended' END END AS storage,"
		" CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4'"
		" ELSE nullif(a.attcompression::text, '') END"
		" AS compression,"
		" nullif(a.attstattarget, -1) AS \"statistics target\","
		" CASE WHEN a.attoptions IS NOT NULL THEN (SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\")"
		" FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\\_attver=%') END AS options,"
		" CASE WHEN a.attfdwoptions IS NOT NULL THEN " OPTIONS("a.attfdwoptions") " END"
		" AS \"foreign options\","
		" NOT a.attislocal AS inherited"
		" FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid"
		" LEFT JOIN pg_type t ON t.oid = a.atttypid"
		" LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
		" WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'p', 'v', 'm', 'f')"
		" AND" OURS("pg_class", "r.oid") },
};

const struct kind_list KINDS_COLUMNS = KIND_LIST(QUERIES);
