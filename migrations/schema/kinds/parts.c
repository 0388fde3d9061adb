#include "migrations/schema/kinds/kinds.h"

/* What has a statement of its own although it is an attribute of something else, so that it can be put where
 * its dependencies allow.  Addresses that pg_depend does not have begin with a word; changes/side.c knows them. */
#define PSEUDO(word, oid) "concat_ws(' ', '" word "', " oid ", 0) AS address, "

/* Which functions it calls stands in its tree alone: nothing depends on those of initdb. */
#define VOLATILE(tree) \
	"EXISTS (SELECT FROM regexp_matches(" tree "::text, ':(?:funcid|opfuncid) (\\d+)', 'g') m" \
	" JOIN pg_proc p ON p.oid = m[1]::oid WHERE p.provolatile = 'v') AS volatile"

static const struct kind_query QUERIES[] = {
	{ "column default", .if_any = "pg_attrdef", .sql =
		"SELECT " ADDRESS("pg_attrdef", "d.oid") "r.name || '.' || quote_ident(a.attname) AS name,"
		" pg_get_expr(d.adbin, d.adrelid) AS \"value:expression\", " VOLATILE("d.adbin")
		" FROM pg_attrdef d JOIN relation r ON r.oid = d.adrelid"
		" JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
		" WHERE a.attgenerated = '' AND" OURS("pg_class", "r.oid") },

	/* What the server calls it, for the statements that need to. */
	{ "not null name", .since = 17, .if_any = NEW_IN("pg_constraint") " AND contype = 'n'", .sql =
		"SELECT coalesce(r.name || '.' || quote_ident(a.attname), format_type(nullif(c.contypid, 0), NULL))"
		" AS name, quote_ident(c.conname) AS \"constraint\""
		" FROM pg_constraint c LEFT JOIN relation r ON r.oid = c.conrelid"
		" LEFT JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
		" WHERE c.contype = 'n' AND (r.oid IS NOT NULL OR c.contypid <> 0) AND"
		OURS("pg_constraint", "c.oid") },

	{ "toast options", .if_any = NEW_IN("pg_class") " AND relkind = 't' AND reloptions IS NOT NULL", .sql =
		"SELECT " PSEUDO("toast options", "c.oid") "r.name, " SORTED("t.reloptions") " AS options"
		" FROM pg_class c JOIN relation r ON r.oid = c.oid JOIN pg_class t ON t.oid = c.reltoastrelid"
		" WHERE c.relkind = 'r' AND t.reloptions IS NOT NULL AND" OURS("pg_class", "c.oid") },

	{ "partition", .if_any = NEW_IN("pg_class") " AND relispartition", .sql =
		"SELECT " PSEUDO("partition", "c.oid") "r.name, p.name AS parent,"
		" pg_get_expr(c.relpartbound, c.oid) AS bound"
		" FROM pg_class c JOIN relation r ON r.oid = c.oid JOIN pg_inherits h ON h.inhrelid = c.oid"
		" JOIN relation p ON p.oid = h.inhparent"
		" WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') AND" OURS("pg_class", "c.oid") },

	{ "inheritance", .if_any = NEW_BY("pg_inherits", "inhrelid"), .sql =
		"SELECT concat_ws(' ', 'inheritance', c.oid, h.inhparent) AS address,"
		" r.name || ' from ' || p.name AS name, h.inhseqno AS position"
		" FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid JOIN relation r ON r.oid = c.oid"
		" JOIN relation p ON p.oid = h.inhparent"
		" WHERE NOT c.relispartition AND c.relkind IN ('r', 'f') AND" OURS("pg_class", "c.oid") },

	{ "index partition", .if_any = NEW_BY("pg_inherits", "inhrelid"), .sql =
		"SELECT " PSEUDO("index partition", "i.oid") "i.name, p.name AS parent"
		" FROM pg_inherits h JOIN relation i ON i.oid = h.inhrelid JOIN relation p ON p.oid = h.inhparent"
		" WHERE i.relkind IN ('i', 'I') AND" OURS("pg_class", "i.oid") },

	{ "sequence owner", .if_any = NEW_BY("pg_sequence", "seqrelid"), .sql =
		"SELECT " PSEUDO("sequence owner", "s.oid") "s.name, r.name || '.' || quote_ident(a.attname)"
		" AS \"column\""
		" FROM pg_depend d JOIN relation s ON s.oid = d.objid AND s.relkind = 'S'"
		" JOIN relation r ON r.oid = d.refobjid"
		" JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
		" WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
		" AND d.refobjsubid > 0 AND d.deptype = 'a' AND" OURS("pg_class", "s.oid") },

	{ "replica identity", .if_any = NEW_BY("pg_index", "indexrelid") " AND indisreplident", .sql =
		"SELECT " PSEUDO("replica identity", "x.indexrelid") "r.name, quote_ident(c.relname) AS index"
		" FROM pg_index x JOIN relation r ON r.oid = x.indrelid JOIN pg_class c ON c.oid = x.indexrelid"
		" JOIN pg_class t ON t.oid = x.indrelid"
		" WHERE x.indisreplident AND t.relreplident = 'i' AND" OURS("pg_class", "x.indexrelid") },

	{ "clustered index", .if_any = NEW_BY("pg_index", "indexrelid") " AND indisclustered", .sql =
		"SELECT " PSEUDO("clustered index", "x.indexrelid") "r.name, quote_ident(c.relname) AS index"
		" FROM pg_index x JOIN relation r ON r.oid = x.indrelid JOIN pg_class c ON c.oid = x.indexrelid"
		" WHERE x.indisclustered AND" OURS("pg_class", "x.indexrelid") },
};

const struct kind_list KINDS_PARTS = KIND_LIST(QUERIES);
