#include "migrations/schema/kinds/kinds.h"

/* The cluster's: read apart from a database's facts, and never a password (pg_roles shows none).  Before 16
 * the role that granted a membership could be dropped. */
#define MEMBERSHIP(more) \
	"SELECT quote_ident(m.rolname) || ' in ' || quote_ident(r.rolname) || ' by '" \
	" || quote_ident(g.rolname) AS name," \
	" a.admin_option AS admin" more \
	" FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member" \
	" LEFT JOIN pg_roles g ON g.oid = a.grantor WHERE a.member >= " FIRST_OID " OR a.roleid >= " FIRST_OID

static const struct kind_query QUERIES[] = {
	{ "role", .sql =
		"SELECT quote_ident(r.rolname) AS name, r.rolsuper AS superuser, NOT r.rolinherit"
		" AS \"no inherit\","
		" r.rolcreaterole AS \"create role\", r.rolcreatedb AS \"create database\", r.rolcanlogin"
		" AS login,"
		" r.rolreplication AS replication, r.rolbypassrls AS \"bypass row security\","
		" nullif(r.rolconnlimit, -1) AS \"connection limit\", r.rolvaliduntil AS \"valid until\","
		" shobj_description(r.oid, 'pg_authid') AS comment"
		" FROM pg_roles r WHERE r.rolname !~ '^pg_'" },

	{ "membership", .until = 16, .sql = MEMBERSHIP("") },
	{ "membership", .since = 16, .sql = MEMBERSHIP(", a.inherit_option AS inherit, NOT a.set_option AS \"no set\"") },

	{ "role setting", .sql =
		"SELECT split_part(o, '=', 1) || CASE WHEN s.setrole = 0 THEN ''"
		" ELSE ' for ' || quote_ident(pg_get_userbyid(s.setrole)) END AS name, " TAG("o") " AS value"
		" FROM pg_db_role_setting s, unnest(s.setconfig) o WHERE s.setdatabase = 0" },

	{ "parameter grant", .since = 15, .sql =
		"SELECT p.parname || ' to '"
		" || " GRANTEE("grantee") " AS name, " PRIVILEGES("10") " AS privileges"
		" FROM pg_parameter_acl p, aclexplode(p.paracl) GROUP BY p.parname, grantee" },

	{ "tablespace", .sql =
		"SELECT quote_ident(t.spcname) AS name, pg_get_userbyid(t.spcowner) AS owner,"
		" nullif(pg_tablespace_location(t.oid), '') AS location,"
		" CASE WHEN t.spcoptions IS NOT NULL THEN " SORTED("t.spcoptions") " END AS options,"
		" t.spcacl::text AS privileges FROM pg_tablespace t" },

	{ "role security label", .sql =
		"SELECT quote_ident(r.rolname) || ' by ' || quote_ident(l.provider) AS name, l.label AS text"
		" FROM pg_shseclabel l JOIN pg_roles r ON r.oid = l.objoid"
		" WHERE l.classoid = 'pg_authid'::regclass" },
};

const struct kind_list KINDS_ROLES = KIND_LIST(QUERIES);
