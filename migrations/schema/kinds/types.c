#include "migrations/schema/kinds/kinds.h"

#define NAMED(column) "nullif(" column "::regproc::text, '-')"
#define COLLATION(oid) \
	"(SELECT cn.name || '.' || quote_ident(cl.collname) FROM pg_collation cl" \
	" JOIN space cn ON cn.oid = cl.collnamespace" \
	" WHERE cl.oid = " oid ")"

/* Array types, multiranges and the row types of relations are made by the server with what they belong to.
 * Labels of an enum by their order alone: enumsortorder is 2.5 after ADD VALUE and 3 after a restore. */
static const struct kind_query QUERIES[] = {
	{ "enum", .if_any = NEW_IN("pg_type") " AND typtype = 'e'", .sql =
		"SELECT " ADDRESS("pg_type", "t.oid") "format_type(t.oid, NULL) AS name, pg_get_userbyid(t.typowner) AS owner,"
		" (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e"
		" WHERE e.enumtypid = t.oid) AS labels"
		" FROM pg_type t JOIN space n ON n.oid = t.typnamespace"
		" WHERE t.typtype = 'e' AND" OURS("pg_type", "t.oid") },

	{ "domain", .if_any = NEW_IN("pg_type") " AND typtype = 'd'", .sql =
		"SELECT " ADDRESS("pg_type", "t.oid") "format_type(t.oid, NULL) AS name, pg_get_userbyid(t.typowner) AS owner,"
		" format_type(t.typbasetype, t.typtypmod) AS type, t.typnotnull AS \"not null\","
		" coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault) AS \"default:expression\","
		" CASE WHEN t.typcollation <> b.typcollation THEN " COLLATION("t.typcollation") " END"
		" AS collation"
		" FROM pg_type t JOIN space n ON n.oid = t.typnamespace JOIN pg_type b ON b.oid = t.typbasetype"
		" WHERE t.typtype = 'd' AND" OURS("pg_type", "t.oid") },

	{ "composite type", .if_any = NEW_IN("pg_class") " AND relkind = 'c'", .sql =
		"SELECT " ADDRESS("pg_type", "t.oid") "r.name, pg_get_userbyid(t.typowner) AS owner,"
		" (SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)"
		" || CASE WHEN a.attcollation <> b.typcollation THEN ' COLLATE '"
		" || " COLLATION("a.attcollation") " ELSE '' END,"
		" ', ' ORDER BY a.attnum) FROM pg_attribute a JOIN pg_type b ON b.oid = a.atttypid"
		" WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped) AS attributes"
		" FROM pg_type t JOIN relation r ON r.oid = t.typrelid"
		" WHERE t.typtype = 'c' AND r.relkind = 'c' AND" OURS("pg_type", "t.oid") },

	{ "range", .if_any = NEW_BY("pg_range", "rngtypid"), .sql =
		"SELECT " ADDRESS("pg_type", "t.oid") "format_type(t.oid, NULL) AS name, pg_get_userbyid(t.typowner) AS owner,"
		" format_type(g.rngsubtype, NULL) AS subtype, format_type(g.rngmultitypid, NULL) AS multirange,"
		" " IDENTITY("pg_opclass", "g.rngsubopc") " AS \"operator class\","
		" CASE WHEN g.rngcollation <> s.typcollation THEN " COLLATION("g.rngcollation") " END"
		" AS collation,"
		" " NAMED("g.rngcanonical") " AS canonical, " NAMED("g.rngsubdiff") " AS difference"
		" FROM pg_range g JOIN pg_type t ON t.oid = g.rngtypid JOIN space n ON n.oid = t.typnamespace"
		" JOIN pg_type s ON s.oid = g.rngsubtype WHERE" OURS("pg_type", "t.oid") },

	{ "base type", .sql =
		"SELECT " ADDRESS("pg_type", "t.oid") "format_type(t.oid, NULL) AS name, pg_get_userbyid(t.typowner) AS owner,"
		" NOT t.typisdefined AS shell,"
		" " NAMED("t.typinput") " AS input, " NAMED("t.typoutput") " AS output, " NAMED("t.typreceive") " AS receive,"
		" " NAMED("t.typsend") " AS send, " NAMED("t.typmodin") " AS \"modifier input\","
		" " NAMED("t.typmodout") " AS \"modifier output\", " NAMED("t.typanalyze") " AS analyze,"
		" " NAMED("t.typsubscript") " AS subscript, t.typlen AS length, t.typbyval AS \"by value\","
		" t.typalign::text AS alignment, t.typstorage::text AS storage, t.typcategory::text"
		" AS category,"
		" t.typispreferred AS preferred, t.typdelim::text AS delimiter, t.typdefault AS default,"
		" CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END"
		" AS element, t.typcollation <> 0 AS collatable"
		" FROM pg_type t JOIN space n ON n.oid = t.typnamespace"
		" WHERE t.typtype IN ('b', 'p') AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)"
		" AND" OURS("pg_type", "t.oid") },

	/* to_jsonb: names of columns moved between 14 and 17 (collicu..., coll...). */
	{ "collation", .if_any = NEW_IN("pg_collation"), .sql =
		"SELECT " ADDRESS("pg_collation", "c.oid") IDENTITY("pg_collation", "c.oid") " AS name, pg_get_userbyid(c.collowner) AS owner,"
		" c.collprovider::text AS provider, c.collcollate AS collate, c.collctype AS ctype,"
		" coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale') AS locale,"
		" to_jsonb(c) ->> 'collicurules' AS rules, NOT c.collisdeterministic AS \"not deterministic\","
		" nullif(c.collencoding, -1) AS encoding"
		" FROM pg_collation c JOIN space n ON n.oid = c.collnamespace WHERE" OURS("pg_collation", "c.oid") },

	{ "conversion", .if_any = NEW_IN("pg_conversion"), .sql =
		"SELECT " ADDRESS("pg_conversion", "c.oid") IDENTITY("pg_conversion", "c.oid") " AS name, pg_get_userbyid(c.conowner) AS owner,"
		" pg_encoding_to_char(c.conforencoding) AS \"from\", pg_encoding_to_char(c.contoencoding)"
		" AS \"to\","
		" c.conproc::regproc::text AS function, c.condefault AS default"
		" FROM pg_conversion c JOIN space n ON n.oid = c.connamespace WHERE" OURS("pg_conversion", "c.oid") },

	{ "cast", .if_any = NEW_IN("pg_cast"), .sql =
		"SELECT " ADDRESS("pg_cast", "c.oid") IDENTITY("pg_cast", "c.oid") " AS name, CASE WHEN c.castfunc <> 0"
		" THEN c.castfunc::regprocedure::text END"
		" AS function, CASE c.castmethod WHEN 'i' THEN 'inout' WHEN 'b' THEN 'binary' ELSE 'function'"
		" END AS method,"
		" CASE c.castcontext WHEN 'a' THEN 'assignment' WHEN 'i' THEN 'implicit' ELSE 'explicit' END"
		" AS context,"
		" EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_cast'::regclass AND i.objid = c.oid"
		" AND i.deptype = 'i')"
		" AS \"part of its type\""
		" FROM pg_cast c WHERE" OURS("pg_cast", "c.oid") },
};

const struct kind_list KINDS_TYPES = KIND_LIST(QUERIES);
