#include "migrations/schema/kinds/kinds.h"

/* An extension's owner is whoever restored it: no statement sets it, so it is no fact. */
static const struct kind_query QUERIES[] = {
	{ "extension", .sql =
		"SELECT " ADDRESS("pg_extension", "e.oid") "quote_ident(e.extname) AS name, n.name AS schema, e.extversion AS version"
		" FROM pg_extension e LEFT JOIN space n ON n.oid = e.extnamespace" },

	/* ALTER ... DEPENDS ON EXTENSION. */
	{ "extension dependency", .sql =
		"SELECT " SUBADDRESS("d.classid", "d.objid", "d.objsubid") "i.type || ' ' || i.identity || ' on ' || quote_ident(e.extname) AS name"
		" FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass"
		" AND d.refobjid = e.oid,"
		" pg_identify_object(d.classid, d.objid, d.objsubid) i WHERE d.deptype = 'x'" },
};

const struct kind_list KINDS_EXTENSIONS = KIND_LIST(QUERIES);
