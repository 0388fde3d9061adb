#include "migrations/schema/kinds/kinds.h"

/* One source of privileges: where they are kept, the letter of acldefault() and the owner. */
#define SOURCE(catalog, letter, acl, owner) \
	"SELECT '" catalog "'::regclass::oid, o.oid, 0, o." acl ", acldefault(" letter ", o." owner "), o." owner \
	" FROM " catalog " o WHERE o." acl " IS NOT NULL"

/*
 * A grant is a fact where it differs from what the object was made with: acldefault(), or what initdb or
 * an extension's script left (pg_init_privs).  So a GRANT that was revoked again, whose ACL is spelled out
 * where it was NULL before, is no fact, and a REVOKE from PUBLIC is one ("none").  Written here are
 * the grants of information_schema, which initdb makes after it has filled pg_init_privs, and of schema
 * public, which may have been dropped and made again.
 */
#define GRANTS_FROM(source) \
	", source(classid, objid, objsubid, acl, base, owner) AS (" source "), " \
	"had AS (SELECT classid, objid, objsubid, grantee, " PRIVILEGES("s.owner") " AS privileges" \
	" FROM source s, aclexplode(s.acl) GROUP BY 1, 2, 3, 4), " \
	"made AS (SELECT s.classid, s.objid, s.objsubid, grantee, " PRIVILEGES("s.owner") " AS privileges" \
	" FROM source s LEFT JOIN pg_init_privs i ON i.classoid = s.classid AND i.objoid = s.objid" \
	" AND i.objsubid = s.objsubid AND NOT (s.classid = 'pg_namespace'::regclass" \
	" AND EXISTS (SELECT FROM pg_namespace p WHERE p.oid = s.objid AND p.nspname = 'public'))," \
	" aclexplode(coalesce(i.initprivs, s.base)) GROUP BY 1, 2, 3, 4), " \
	"differs AS (SELECT classid, objid, objsubid, grantee, had.privileges, made.privileges AS base FROM had" \
	" FULL JOIN made USING (classid, objid, objsubid, grantee)" \
	" WHERE had.privileges IS DISTINCT FROM made.privileges) "

/* Where all privileges are kept. */
#define SOURCES \
	"SELECT 'pg_class'::regclass::oid, o.oid, 0, o.relacl," \
	" acldefault(CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", o.relowner)" \
	" || CASE WHEN o.oid < " FIRST_OID " AND relation.name LIKE 'information\\_schema.%'" \
	" THEN ARRAY[makeaclitem(0, o.relowner, 'SELECT', false)] END, o.relowner" \
	" FROM pg_class o JOIN relation USING (oid) WHERE o.relacl IS NOT NULL" \
	" UNION ALL SELECT 'pg_class'::regclass::oid, a.attrelid, a.attnum, a.attacl, NULL::aclitem[], r.relowner" \
	" FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid" \
	" WHERE a.attacl IS NOT NULL AND NOT a.attisdropped" \
	" UNION ALL " SOURCE("pg_proc", "'f'", "proacl", "proowner") \
	" UNION ALL " SOURCE("pg_type", "'T'", "typacl", "typowner") \
	" UNION ALL SELECT 'pg_namespace'::regclass::oid, o.oid, 0, o.nspacl, acldefault('n', o.nspowner)" \
	" || CASE WHEN o.nspname = 'information_schema'" \
	" THEN ARRAY[makeaclitem(0, o.nspowner, 'USAGE', false)] END, o.nspowner" \
	" FROM pg_namespace o WHERE o.nspacl IS NOT NULL AND o.nspname !~ '^pg_(toast|temp)'" \
	" UNION ALL " SOURCE("pg_language", "'l'", "lanacl", "lanowner") \
	" UNION ALL " SOURCE("pg_foreign_data_wrapper", "'F'", "fdwacl", "fdwowner") \
	" UNION ALL " SOURCE("pg_foreign_server", "'S'", "srvacl", "srvowner")

/* A global entry replaces acldefault(), one of a schema is added to it. */
#define DEFAULTS(value) \
	", source AS (SELECT oid, defaclacl AS acl, defaclrole AS owner, CASE WHEN defaclnamespace = 0" \
	" THEN acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole)" \
	" ELSE NULL::aclitem[] END AS base" \
	" FROM pg_default_acl d WHERE" OURS("pg_default_acl", "d.oid") "), " \
	"had AS (SELECT oid, grantee, " PRIVILEGES("s.owner") " AS privileges" \
	" FROM source s, aclexplode(s.acl) GROUP BY 1, 2), " \
	"made AS (SELECT oid, grantee, " PRIVILEGES("s.owner") " AS privileges" \
	" FROM source s, aclexplode(s.base) GROUP BY 1, 2) " \
	"SELECT CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f'" \
	" THEN 'functions'" \
	" WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects'" \
	" ELSE d.defaclobjtype::text END" \
	" || ' of ' || quote_ident(pg_get_userbyid(d.defaclrole)) || coalesce(' in ' || n.name, '')" \
	" || ' to '" \
	" || " GRANTEE("grantee") " AS name, coalesce(" value ", 'none') AS privileges" \
	" FROM had FULL JOIN made USING (oid, grantee) JOIN pg_default_acl d USING (oid)" \
	" LEFT JOIN space n ON n.oid = d.defaclnamespace" \
	" WHERE had.privileges IS DISTINCT FROM made.privileges"

static const struct kind_query QUERIES[] = {
	/* Members of extensions are in: pg_dump carries their grants. */
	{ "grant", .sql =
		GRANTS_FROM(SOURCES)
		"SELECT " SUBADDRESS("d.classid", "d.objid", "d.objsubid")
		"i.type || ' ' || i.identity || ' to ' || " GRANTEE("d.grantee") " AS name,"
		" coalesce(d.privileges, 'none') AS privileges"
		" FROM differs d, pg_identify_object(d.classid, d.objid, d.objsubid) i"
		" WHERE NOT EXISTS (SELECT FROM hidden h WHERE h.classid = d.classid AND h.objid = d.objid)" },

	{ "default privileges", .if_any = NEW_IN("pg_default_acl"), .sql = DEFAULTS("had.privileges") },

	{ "policy", .if_any = NEW_IN("pg_policy"), .sql =
		"SELECT " ADDRESS("pg_policy", "p.oid") "quote_ident(p.polname) || ' on ' || r.name AS name, NOT p.polpermissive AS restrictive,"
		" CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd'"
		" THEN 'delete'"
		" ELSE 'all' END AS command,"
		" (SELECT string_agg(" GRANTEE("o") ", ', ' ORDER BY " GRANTEE("o") " COLLATE \"C\")"
		" FROM unnest(p.polroles) o) AS roles,"
		" pg_get_expr(p.polqual, p.polrelid) AS \"using:expression\","
		" pg_get_expr(p.polwithcheck, p.polrelid) AS \"check:expression\""
		" FROM pg_policy p JOIN relation r ON r.oid = p.polrelid WHERE" OURS("pg_policy", "p.oid") },

	/* Large objects are data.  An extension's members have their comments from its script. */
	{ "comment", .sql =
		"SELECT " SUBADDRESS("d.classoid", "d.objoid", "d.objsubid")
		"i.type || ' ' || i.identity AS name, d.description AS text"
		" FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i"
		" WHERE (d.objoid >= " FIRST_OID " OR d.classoid = 'pg_extension'::regclass"
		" OR (d.classoid = 'pg_namespace'::regclass AND d.objoid = (SELECT oid FROM pg_namespace"
		" WHERE nspname = 'public')))"
		" AND d.classoid <> 'pg_largeobject'::regclass AND i.identity IS NOT NULL"
		" AND i.identity !~ '^pg_temp'"
		" AND NOT EXISTS (SELECT FROM outside o WHERE o.classid = d.classoid AND o.objid = d.objoid)" },

	{ "security label", .if_any = "pg_seclabel", .sql =
		"SELECT " SUBADDRESS("l.classoid", "l.objoid", "l.objsubid")
		"i.type || ' ' || i.identity || ' by ' || quote_ident(l.provider) AS name, l.label"
		" AS text"
		" FROM pg_seclabel l, pg_identify_object(l.classoid, l.objoid, l.objsubid) i"
		" WHERE l.classoid <> 'pg_largeobject'::regclass"
		" AND NOT EXISTS (SELECT FROM hidden o WHERE o.classid = l.classoid AND o.objid = l.objoid)" },

	/* initdb's superuser is not written down as an owner, so every row here is a change. */
	{ "owner of a system object", .sql =
		"SELECT i.type || ' ' || i.identity AS name, pg_get_userbyid(s.refobjid) AS owner"
		" FROM pg_shdepend s, pg_identify_object(s.classid, s.objid, 0) i"
		" WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
		" AND s.deptype = 'o'"
		" AND s.objid < " FIRST_OID " AND s.refclassid = 'pg_authid'::regclass"
		" AND NOT (s.classid = 'pg_namespace'::regclass AND i.identity = 'public')" },
};

const struct kind_list KINDS_SECURITY = KIND_LIST(QUERIES);

static const struct kind_query BASES[] = {
	{ "grant base", .sql =
		GRANTS_FROM(SOURCES)
		"SELECT i.type || ' ' || i.identity || ' to ' || " GRANTEE("d.grantee") " AS name,"
		" coalesce(d.base, 'none') AS privileges"
		" FROM differs d, pg_identify_object(d.classid, d.objid, d.objsubid) i"
		" WHERE NOT EXISTS (SELECT FROM hidden h WHERE h.classid = d.classid AND h.objid = d.objid)" },

	{ "default privileges base", .if_any = NEW_IN("pg_default_acl"), .sql = DEFAULTS("made.privileges") },
};

const struct kind_list KINDS_BASES = KIND_LIST(BASES);
