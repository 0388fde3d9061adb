#include "migrations/schema/kinds/kinds.h"

#define THIS_DATABASE "(SELECT oid FROM pg_database WHERE datname = current_database())"

/* The database's own facts.  Its name is none: a restored copy has another.  to_jsonb: columns of the
 * locale came with 15 and were renamed with 17.  datcollversion is the machine's, not the schema's. */
static const struct kind_query QUERIES[] = {
	{ "database", .sql =
		"SELECT 'database' AS name, pg_get_userbyid(d.datdba) AS owner,"
		" pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,"
		" nullif(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,"
		" coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,"
		" to_jsonb(d) ->> 'daticurules' AS rules, nullif(d.datconnlimit, -1) AS \"connection limit\","
		" d.datistemplate AS template, nullif(t.spcname, 'pg_default') AS tablespace,"
		" shobj_description(d.oid, 'pg_database') AS comment"
		" FROM pg_database d LEFT JOIN pg_tablespace t ON t.oid = d.dattablespace"
		" WHERE d.oid = " THIS_DATABASE },

	/* Values may be secrets. */
	{ "database setting", .if_any = "pg_db_role_setting", .sql =
		"SELECT split_part(o, '=', 1) || CASE WHEN s.setrole = 0 THEN ''"
		" ELSE ' for ' || quote_ident(pg_get_userbyid(s.setrole)) END AS name, " TAG("o") " AS value"
		" FROM pg_db_role_setting s, unnest(s.setconfig) o WHERE s.setdatabase = " THIS_DATABASE },

	{ "database grant", .sql =
		", had AS (SELECT grantee, " PRIVILEGES("d.datdba") " AS privileges FROM pg_database d,"
		" aclexplode(d.datacl) WHERE d.oid = " THIS_DATABASE " GROUP BY 1), "
		"made AS (SELECT grantee, " PRIVILEGES("d.datdba") " AS privileges FROM pg_database d,"
		" aclexplode(acldefault('d', d.datdba))"
		" WHERE d.oid = " THIS_DATABASE " AND d.datacl IS NOT NULL GROUP BY 1) "
		"SELECT 'to ' || " GRANTEE("grantee") " AS name, coalesce(had.privileges, 'none') AS privileges"
		" FROM had FULL JOIN made USING (grantee)"
		" WHERE had.privileges IS DISTINCT FROM made.privileges" },

	{ "database security label", .if_any = "pg_shseclabel", .sql =
		"SELECT 'by ' || quote_ident(l.provider) AS name, l.label AS text FROM pg_shseclabel l"
		" WHERE l.classoid = 'pg_database'::regclass AND l.objoid = " THIS_DATABASE },
};

const struct kind_list KINDS_DATABASE = KIND_LIST(QUERIES);
