#include "migrations/schema/kinds/kinds.h"

#define NAMED(column) "nullif(" column "::regproc::text, '-')"

static const struct kind_query QUERIES[] = {
	/* ts_token_type() calls the parser itself, so tokens are named as ALTER ... MAPPING FOR names them. */
	{ "text search configuration", .if_any = NEW_IN("pg_ts_config"), .sql =
		"SELECT " ADDRESS("pg_ts_config", "c.oid") IDENTITY("pg_ts_config", "c.oid") " AS name, pg_get_userbyid(c.cfgowner) AS owner,"
		" " IDENTITY("pg_ts_parser", "c.cfgparser") " AS parser,"
		" (SELECT string_agg(m.token || ' with ' || m.dictionaries, '; '"
		" ORDER BY m.token COLLATE \"C\") FROM"
		" (SELECT t.alias AS token, string_agg(" IDENTITY("pg_ts_dict", "p.mapdict") ", ', '"
		" ORDER BY p.mapseqno)"
		" AS dictionaries FROM pg_ts_config_map p"
		" JOIN ts_token_type(c.cfgparser) t ON t.tokid = p.maptokentype"
		" WHERE p.mapcfg = c.oid GROUP BY t.alias) m) AS mappings"
		" FROM pg_ts_config c JOIN space n ON n.oid = c.cfgnamespace WHERE" OURS("pg_ts_config", "c.oid") },

	{ "text search dictionary", .if_any = NEW_IN("pg_ts_dict"), .sql =
		"SELECT " ADDRESS("pg_ts_dict", "d.oid") IDENTITY("pg_ts_dict", "d.oid") " AS name, pg_get_userbyid(d.dictowner) AS owner,"
		" " IDENTITY("pg_ts_template", "d.dicttemplate") " AS template, d.dictinitoption AS options"
		" FROM pg_ts_dict d JOIN space n ON n.oid = d.dictnamespace WHERE" OURS("pg_ts_dict", "d.oid") },

	{ "text search parser", .if_any = NEW_IN("pg_ts_parser"), .sql =
		"SELECT " ADDRESS("pg_ts_parser", "p.oid") IDENTITY("pg_ts_parser", "p.oid") " AS name, " NAMED("p.prsstart") " AS start,"
		" " NAMED("p.prstoken") " AS token, " NAMED("p.prsend") " AS \"end\", " NAMED("p.prsheadline") " AS headline,"
		" " NAMED("p.prslextype") " AS types"
		" FROM pg_ts_parser p JOIN space n ON n.oid = p.prsnamespace WHERE" OURS("pg_ts_parser", "p.oid") },

	{ "text search template", .if_any = NEW_IN("pg_ts_template"), .sql =
		"SELECT " ADDRESS("pg_ts_template", "t.oid") IDENTITY("pg_ts_template", "t.oid") " AS name, " NAMED("t.tmplinit") " AS init,"
		" " NAMED("t.tmpllexize") " AS lexize"
		" FROM pg_ts_template t JOIN space n ON n.oid = t.tmplnamespace WHERE" OURS("pg_ts_template", "t.oid") },
};

const struct kind_list KINDS_TEXTSEARCH = KIND_LIST(QUERIES);
