#include "migrations/schema/kinds/kinds.h"

/* A partition's copy of a foreign key is left out: the server chooses its name anew at a restore.  Constraint
 * triggers ('t') are triggers here.  A foreign key whose internal triggers are switched off is not enforced,
 * which is a fact although pg_dump does not carry it. */
static const struct kind_query QUERIES[] = {
	{ "constraint", .sql =
		"SELECT " ADDRESS("pg_constraint", "c.oid") "CASE WHEN c.contypid <> 0 THEN 'domain constraint' ELSE 'constraint' END AS kind,"
		" quote_ident(c.conname) || ' on ' || coalesce(r.name, format_type(c.contypid, NULL)) AS name,"
		" CASE c.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign key'"
		" WHEN 'c' THEN 'check' WHEN 'x' THEN 'exclusion' WHEN 'n' THEN 'not null'"
		" ELSE c.contype::text END AS type,"
		" pg_get_constraintdef(c.oid) AS \"definition:constraint\","
		" NOT c.convalidated AS \"not valid\", NOT c.conislocal AS inherited,"
		" CASE WHEN c.contype = 'f'"
		" THEN (SELECT string_agg(DISTINCT " ENABLED("g.tgenabled") ", ', ') FROM pg_trigger g"
		" WHERE g.tgconstraint = c.oid AND g.tgenabled <> 'O') END AS \"triggers enabled\""
		" FROM pg_constraint c LEFT JOIN relation r ON r.oid = c.conrelid"
		" LEFT JOIN pg_type t ON t.oid = c.contypid LEFT JOIN space n ON n.oid = t.typnamespace"
		" WHERE c.contype <> 't' AND (c.contype <> 'f' OR c.conparentid = 0)"
		" AND (r.oid IS NOT NULL OR n.oid IS NOT NULL) AND" OURS("pg_constraint", "c.oid") },

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
