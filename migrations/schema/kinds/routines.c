#include "migrations/schema/kinds/kinds.h"

/* The text of a body in quotes is kept as it was written, so it is compared as it is; a body that the
 * server keeps parsed (BEGIN ATOMIC, RETURN) is deparsed and normalised.  regproc(edure) qualifies and
 * quotes, and is '-' for none. */
#define NAMED(column) "nullif(" column "::regproc::text, '-')"

/* The constructors of a range: the server makes them with the type. */
#define PART_OF_TYPE(catalog, oid) \
	"EXISTS (SELECT FROM pg_depend i WHERE i.classid = '" catalog "'::regclass AND i.objid = " oid \
	" AND i.deptype = 'i') AS \"part of its type\""

static const struct kind_query QUERIES[] = {
	{ "function", .if_any = NEW_IN("pg_proc"), .sql =
		"SELECT " ADDRESS("pg_proc", "p.oid") "CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind,"
		" p.oid::regprocedure::text AS name, pg_get_userbyid(p.proowner) AS owner,"
		" nullif(pg_get_function_arguments(p.oid), '') AS \"arguments:arguments\","
		" pg_get_function_result(p.oid) AS result,"
		" quote_ident(l.lanname) AS language, p.prokind = 'w' AS window,"
		" CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' END AS volatility,"
		" p.proisstrict AS strict, p.prosecdef AS \"security definer\", p.proleakproof AS leakproof,"
		" CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END AS parallel,"
		" p.procost AS cost, nullif(p.prorows, 0) AS rows, " NAMED("p.prosupport") " AS support,"
		" CASE WHEN p.proconfig IS NOT NULL THEN " QUOTED("p.proconfig") " END AS settings,"
		" CASE WHEN p.protrftypes IS NOT NULL THEN (SELECT string_agg(format_type(t, NULL), ', '"
		" ORDER BY n)"
		" FROM unnest(p.protrftypes) WITH ORDINALITY u(t, n)) END AS transforms,"
		" CASE WHEN p.prosqlbody IS NULL THEN p.prosrc END AS source, p.probin AS library,"
		" pg_get_function_sqlbody(p.oid) AS \"body:body\", " PART_OF_TYPE("pg_proc", "p.oid")
		" FROM pg_proc p JOIN space n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang"
		" WHERE p.prokind <> 'a' AND" OURS("pg_proc", "p.oid") },

	{ "aggregate", .if_any = NEW_BY("pg_aggregate", "aggfnoid::oid"), .sql =
		"SELECT " ADDRESS("pg_proc", "p.oid") "p.oid::regprocedure::text AS name, pg_get_userbyid(p.proowner) AS owner,"
		" pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,"
		" CASE a.aggkind WHEN 'o' THEN 'ordered set' WHEN 'h' THEN 'hypothetical set' END AS form,"
		" nullif(a.aggnumdirectargs, 0) AS \"direct arguments\","
		" CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END AS parallel,"
		" a.aggtransfn::regproc::text AS transition, format_type(a.aggtranstype, NULL) AS state,"
		" nullif(a.aggtransspace, 0) AS \"state size\", a.agginitval"
		" AS initial, " NAMED("a.aggfinalfn") " AS final,"
		" a.aggfinalextra AS \"final extra\", a.aggfinalmodify::text AS \"final modifies\","
		" " NAMED("a.aggcombinefn") " AS combine, " NAMED("a.aggserialfn") " AS serialize,"
		" " NAMED("a.aggdeserialfn") " AS deserialize, " NAMED("a.aggmtransfn") " AS \"moving transition\","
		" " NAMED("a.aggminvtransfn") " AS \"moving inverse\", " NAMED("a.aggmfinalfn") " AS \"moving final\","
		" CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END"
		" AS \"moving state\","
		" nullif(a.aggmtransspace, 0) AS \"moving state size\", a.aggminitval AS \"moving initial\","
		" a.aggmfinalextra AS \"moving final extra\", a.aggmfinalmodify::text"
		" AS \"moving final modifies\","
		" CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END AS \"sort operator\""
		" FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid"
		" JOIN space n ON n.oid = p.pronamespace"
		" WHERE" OURS("pg_proc", "p.oid") },

	{ "event trigger", .if_any = NEW_IN("pg_event_trigger"), .sql =
		"SELECT " ADDRESS("pg_event_trigger", "e.oid") "quote_ident(e.evtname) AS name, pg_get_userbyid(e.evtowner) AS owner, e.evtevent"
		" AS event,"
		" e.evtfoid::regproc::text AS function, " ENABLED("e.evtenabled") " AS enabled,"
		" CASE WHEN e.evttags IS NOT NULL THEN " QUOTED("e.evttags") " END AS tags"
		" FROM pg_event_trigger e WHERE" OURS("pg_event_trigger", "e.oid") },

	{ "language", .if_any = NEW_IN("pg_language"), .sql =
		"SELECT " ADDRESS("pg_language", "l.oid") "quote_ident(l.lanname) AS name, pg_get_userbyid(l.lanowner) AS owner, l.lanpltrusted"
		" AS trusted,"
		" " NAMED("l.lanplcallfoid") " AS handler, " NAMED("l.laninline") " AS inline,"
		" " NAMED("l.lanvalidator") " AS validator"
		" FROM pg_language l WHERE l.lanispl AND" OURS("pg_language", "l.oid") },

	{ "transform", .if_any = NEW_IN("pg_transform"), .sql =
		"SELECT " ADDRESS("pg_transform", "t.oid") IDENTITY("pg_transform", "t.oid") " AS name, " NAMED("t.trffromsql") " AS \"from SQL\","
		" " NAMED("t.trftosql") " AS \"to SQL\" FROM pg_transform t WHERE" OURS("pg_transform", "t.oid") },
};

const struct kind_list KINDS_ROUTINES = KIND_LIST(QUERIES);
