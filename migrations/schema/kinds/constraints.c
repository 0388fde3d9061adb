#include "migrations/schema/kinds/kinds.h"

/* A partition's copy of a foreign key is left out: the server chooses its name anew at a restore.  Constraint
 * triggers ('t') are triggers here.  A foreign key whose internal triggers are switched off is not enforced,
 * which is a fact although pg_dump does not carry it. */
static const struct kind_query QUERIES[] = {
	{ "constraint", .sql =
		"SELECT " ADDRESS("pg_constraint", "c.oid") "CASE WHEN c.contypid <> 0 THEN 'domain constraint' ELSE 'constraint' END AS kind,"
		" quote_ident(c.conname) || ' on ' || coalesce(r.name, format_type(c.contypid, NULL)) AS name,"
		" CASE c.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign key'"
		" WHEN 'c' THEN 'check' WHEN 'x' THEN 'exclusion'"
		" ELSE c.contype::text END AS type,"
		/* conenforced is of 18, and no word of the parser's. */
		" regexp_replace(pg_get_constraintdef(c.oid), ' NOT ENFORCED$', '') AS \"definition:constraint\","
		" NOT e.enforced AS \"not enforced\","
		" e.enforced AND NOT c.convalidated AS \"not valid\", NOT c.conislocal AS inherited,"
		" CASE WHEN c.contype = 'f'"
		" THEN (SELECT string_agg(DISTINCT " ENABLED("g.tgenabled") ", ', ') FROM pg_trigger g"
		" WHERE g.tgconstraint = c.oid AND g.tgenabled <> 'O') END AS \"triggers enabled\""
		" FROM pg_constraint c LEFT JOIN relation r ON r.oid = c.conrelid"
		" LEFT JOIN pg_type t ON t.oid = c.contypid LEFT JOIN space n ON n.oid = t.typnamespace,"
		" LATERAL (SELECT coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) AS enforced) e"
		" WHERE c.contype NOT IN ('t', 'n') AND (c.contype <> 'f' OR c.conparentid = 0)"
		" AND (r.oid IS NOT NULL OR n.oid IS NOT NULL) AND" OURS("pg_constraint", "c.oid") },

	/*
	 * Named by the column, which has one at most.  Its own name is a fact where a person has chosen it: pg_dump leaves
	 * out table_column_not_null, and the restore numbers it where a partition has taken the name before; an heir has
	 * its parent's.  A partition has it as its own too when it had it before its parent, but not after a restore.
	 */
	{ "not null", .since = 18, .if_any = NEW_IN("pg_constraint") " AND contype = 'n' AND conrelid <> 0", .sql =
		"SELECT " ADDRESS("pg_constraint", "c.oid") "r.name || '.' || quote_ident(a.attname) AS name,"
		" CASE WHEN NOT i.inherited AND rtrim(c.conname, '0123456789')"
		" <> t.relname || '_' || a.attname || '_not_null' THEN quote_ident(c.conname) END"
		" AS \"constraint\","
		" NOT c.convalidated AS \"not valid\", c.connoinherit AS \"no inherit\", i.inherited"
		" FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid JOIN pg_class t ON t.oid = c.conrelid"
		" JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1],"
		" LATERAL (SELECT NOT c.conislocal OR (t.relispartition AND c.coninhcount > 0) AS inherited) i"
		" WHERE c.contype = 'n' AND" OURS("pg_constraint", "c.oid") },

	{ "domain not null", .since = 17, .if_any = NEW_IN("pg_constraint") " AND contype = 'n' AND contypid <> 0", .sql =
		"SELECT " ADDRESS("pg_constraint", "c.oid") "format_type(t.oid, NULL) AS name,"
		" CASE WHEN rtrim(c.conname, '0123456789') <> t.typname || '_not_null'"
		" THEN quote_ident(c.conname) END AS \"constraint\""
		" FROM pg_constraint c JOIN pg_type t ON t.oid = c.contypid JOIN space n ON n.oid = t.typnamespace"
		" WHERE c.contype = 'n' AND" OURS("pg_constraint", "c.oid") },

	/* A partitioned table's index is invalid until all partitions have theirs attached, by its nature. */
	{ "index", .sql =
		"SELECT " ADDRESS("pg_class", "x.indexrelid") "i.name, r.name AS \"table\", pg_get_indexdef(x.indexrelid) AS \"definition:statement\","
		" quote_ident(k.conname) AS \"constraint\", p.parent AS \"partition of\","
		" NOT x.indisvalid AS invalid, NOT x.indisready AS \"not ready\", NOT x.indislive"
		" AS \"not live\","
		" ts.spcname AS tablespace,"
		" CASE WHEN x.indexprs IS NOT NULL THEN (SELECT string_agg(a.attnum || ' = '"
		" || a.attstattarget, ', '"
		" ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = x.indexrelid"
		" AND a.attstattarget >= 0) END"
		" AS \"statistics targets\""
		" FROM pg_index x JOIN relation i ON i.oid = x.indexrelid JOIN relation r ON r.oid = x.indrelid"
		" JOIN pg_class c ON c.oid = x.indexrelid"
		" LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace"
		" LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')"
		" LEFT JOIN (SELECT inhrelid, a.name AS parent FROM pg_inherits"
		" JOIN relation a ON a.oid = inhparent) p"
		" ON p.inhrelid = x.indexrelid"
		" WHERE" OURS("pg_class", "x.indexrelid") },
};

const struct kind_list KINDS_CONSTRAINTS = KIND_LIST(QUERIES);
