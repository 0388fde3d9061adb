#include "migrations/schema/kinds/kinds.h"

/* What hangs on a table of an extension (an index, a trigger, a rule) is nobody's member, and is listed. */
static const struct kind_query QUERIES[] = {
	/* Only public of initdb's schemas can be dropped or handed over as everyday work. */
	{ "schema", .sql =
		"SELECT " ADDRESS("pg_namespace", "n.oid") "quote_ident(nspname) AS name, pg_get_userbyid(nspowner) AS owner FROM pg_namespace n"
		" WHERE nspname = 'public' OR (" OURS("pg_namespace", "n.oid") "AND nspname !~ '^pg_(toast|temp)')" },

	{ "table", .sql =
		"SELECT " ADDRESS("pg_class", "c.oid") "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f'"
		" THEN 'foreign table'"
		" ELSE 'table' END AS kind, r.name, pg_get_userbyid(c.relowner) AS owner,"
		" c.relpersistence = 'u' AS unlogged, nullif(am.amname, 'heap') AS \"access method\","
		" ts.spcname AS tablespace, " SORTED("c.reloptions") " AS options,"
		" (SELECT " SORTED("t.reloptions") " FROM pg_class t WHERE t.oid = c.reltoastrelid)"
		" AS \"toast options\","
		" CASE WHEN c.relkind IN ('v', 'f') THEN NULL ELSE CASE c.relreplident WHEN 'n'"
		" THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN"
		" (SELECT 'index ' || i.name FROM pg_index x JOIN relation i ON i.oid = x.indexrelid"
		" WHERE x.indrelid = c.oid AND x.indisreplident) END END AS \"replica identity\","
		" (SELECT i.name FROM pg_index x JOIN relation i ON i.oid = x.indexrelid"
		" WHERE x.indrelid = c.oid AND x.indisclustered) AS \"clustered on\","
		" c.relrowsecurity AS \"row security\", c.relforcerowsecurity AS \"row security forced\","
		" CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS \"of type\","
		" CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END"
		" AS \"partition key:partition key\","
		" CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END"
		" AS \"partition bound\","
		" p.parents, p.detaching AS \"detach pending\","
		" CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS \"definition:statement\","
		" c.relkind = 'm' AND NOT c.relispopulated AS unpopulated,"
		" quote_ident(s.srvname) AS server, " OPTIONS("f.ftoptions") " AS \"foreign options\""
		" FROM pg_class c JOIN relation r ON r.oid = c.oid"
		" LEFT JOIN pg_am am ON am.oid = c.relam LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace"
		" LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid"
		" LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver"
		" LEFT JOIN (SELECT inhrelid, string_agg(a.name, ', ' ORDER BY inhseqno) AS parents,"
		" bool_or(inhdetachpending) AS detaching"
		" FROM pg_inherits JOIN relation a ON a.oid = inhparent"
		" GROUP BY inhrelid) p ON p.inhrelid = c.oid"
		" WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND" OURS("pg_class", "c.oid") },

	{ "sequence", .if_any = NEW_BY("pg_sequence", "seqrelid"), .sql =
		"SELECT " ADDRESS("pg_class", "c.oid") "r.name, pg_get_userbyid(c.relowner) AS owner, c.relpersistence = 'u' AS unlogged,"
		" format_type(s.seqtypid, NULL) AS type, s.seqstart AS start, s.seqincrement AS increment,"
		" s.seqmin AS minimum, s.seqmax AS maximum, s.seqcache AS cache, s.seqcycle AS cycle,"
		" CASE WHEN d.deptype = 'a' THEN o.name || '.' || quote_ident(a.attname) END AS \"owned by\","
		" CASE WHEN d.deptype = 'i' THEN o.name || '.' || quote_ident(a.attname) END AS \"identity of\""
		" FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN relation r ON r.oid = c.oid"
		" LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid"
		" AND d.objsubid = 0"
		" AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')"
		" LEFT JOIN relation o ON o.oid = d.refobjid"
		" LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
		" WHERE" OURS("pg_class", "c.oid") },

	{ "rule", .if_any = NEW_IN("pg_rewrite") " AND rulename <> '_RETURN'", .sql =
		"SELECT " ADDRESS("pg_rewrite", "w.oid") "quote_ident(w.rulename) || ' on ' || r.name AS name,"
		" pg_get_ruledef(w.oid) AS \"definition:statement\", " ENABLED("w.ev_enabled") " AS enabled"
		" FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class"
		" WHERE w.rulename <> '_RETURN' AND" OURS("pg_rewrite", "w.oid") },

	/* A partition's copy of its parent's trigger is the parent's business, unless its state is its own. */
	{ "trigger", .if_any = NEW_IN("pg_trigger"), .sql =
		"SELECT " ADDRESS("pg_trigger", "t.oid") "quote_ident(t.tgname) || ' on ' || r.name AS name, t.tgparentid <> 0 AS cloned,"
		" CASE WHEN t.tgparentid = 0 THEN pg_get_triggerdef(t.oid) END AS \"definition:statement\","
		" CASE WHEN p.oid IS NOT NULL AND t.tgenabled = 'O' THEN 'origin'"
		" ELSE " ENABLED("t.tgenabled") " END AS enabled"
		" FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid"
		" LEFT JOIN pg_trigger p ON p.oid = t.tgparentid"
		" WHERE ((NOT t.tgisinternal AND t.tgparentid = 0) OR t.tgenabled <> p.tgenabled) AND"
		OURS("pg_trigger", "t.oid") },

	{ "statistics", .if_any = NEW_IN("pg_statistic_ext"), .sql =
		"SELECT " ADDRESS("pg_statistic_ext", "s.oid") "n.name || '.' || quote_ident(s.stxname) AS name, pg_get_userbyid(s.stxowner) AS owner,"
		" pg_get_statisticsobjdef(s.oid) AS \"definition:statistics\", nullif(s.stxstattarget, -1)"
		" AS target"
		" FROM pg_statistic_ext s JOIN space n ON n.oid = s.stxnamespace"
		" WHERE" OURS("pg_statistic_ext", "s.oid") },
};

const struct kind_list KINDS_RELATIONS = KIND_LIST(QUERIES);
