#include "migrations/schema/kinds/kinds.h"

#define NAMED(column) "nullif(" column "::regproc::text, '-')"

static const struct kind_query QUERIES[] = {
	{ "foreign data wrapper", .if_any = NEW_IN("pg_foreign_data_wrapper"), .sql =
		"SELECT " ADDRESS("pg_foreign_data_wrapper", "f.oid") "quote_ident(f.fdwname) AS name, pg_get_userbyid(f.fdwowner) AS owner,"
		" " NAMED("f.fdwhandler") " AS handler, " NAMED("f.fdwvalidator") " AS validator,"
		" CASE WHEN f.fdwoptions IS NOT NULL THEN " OPTIONS("f.fdwoptions") " END AS options"
		" FROM pg_foreign_data_wrapper f WHERE" OURS("pg_foreign_data_wrapper", "f.oid") },

	{ "foreign server", .if_any = NEW_IN("pg_foreign_server"), .sql =
		"SELECT " ADDRESS("pg_foreign_server", "s.oid") "quote_ident(s.srvname) AS name, pg_get_userbyid(s.srvowner) AS owner,"
		" quote_ident(f.fdwname) AS wrapper, s.srvtype AS type, s.srvversion AS version,"
		" CASE WHEN s.srvoptions IS NOT NULL THEN " OPTIONS("s.srvoptions") " END AS options"
		" FROM pg_foreign_server s JOIN pg_foreign_data_wrapper f ON f.oid = s.srvfdw"
		" WHERE" OURS("pg_foreign_server", "s.oid") },

	/* Every value of a mapping counts as a secret.  The view shows options to those who may see them:
	 * a superuser, the server's owner for PUBLIC, the mapped role itself. */
	{ "user mapping", .if_any = NEW_IN("pg_foreign_server"), .sql =
		"SELECT " ADDRESS("pg_user_mapping", "m.umid") GRANTEE("m.umuser") " || ' on ' || quote_ident(m.srvname) AS name,"
		" (SELECT string_agg(split_part(o, '=', 1) || '=' || " TAG("o") ", ', '"
		" ORDER BY o COLLATE \"C\")"
		" FROM unnest(m.umoptions) o) AS options"
		" FROM pg_user_mappings m WHERE" OURS("pg_user_mapping", "m.umid") },
};

const struct kind_list KINDS_FOREIGN = KIND_LIST(QUERIES);
