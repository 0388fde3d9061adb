/*
 * kinds.h - the kinds of facts as a table: one catalog query a kind.
 *
 * A query answers one row a fact.  Column `name` is the object's qualified name, column `kind`, when
 * there is one, overrides the table's; every other column is an attribute that is there unless its
 * value is NULL or a boolean's false.  A column's alias may end in `:form`, one of normal.h, which
 * says how its text is normalised before it is compared ("default:expression").
 * So a new kind is a new row in one of these files, and nothing else.
 *
 * Before every query stand the common tables below (read.c); search_path is pg_catalog alone, so
 * names need no qualification here and come out of the deparser with theirs:
 *   hidden(classid, objid)   the version table, schema ripcord, schemas of temporary objects, what is in them
 *   outside(classid, objid)  those, and the members of extensions
 *   space(oid, name)         all schemas but those of TOAST and temporary objects
 *   relation(oid, relkind, relowner, name)  all relations in those
 * Names are as pg_identify_object() has them, so that comments and grants name the same object.
 */
#ifndef MIGRATIONS_SCHEMA_KINDS_KINDS_H
#define MIGRATIONS_SCHEMA_KINDS_KINDS_H

#include <stddef.h>

struct kind_query {
	const char *kind;
	int since, until; /* major versions of the server: since <= major < until; 0: no bound */
	/* What follows a FROM: without a row of it the query has none either and is not sent, since planning
	 * a question takes longer than answering it.  May be true in vain, never false in vain; NULL: always sent. */
	const char *if_any;
	const char *sql;
};

struct kind_list {
	const struct kind_query *queries;
	size_t n;
};

#define KIND_LIST(array) { (array), sizeof(array) / sizeof *(array) }

/* FirstNormalObjectId of access/transam.h: smaller OIDs are initdb's. */
#define FIRST_OID "16384"

/* Column `address`: which row of which catalog the fact is, as pg_depend has it ("classid objid objsubid").
 * Of a comment, a grant or a label it is what they hang on. */
#define SUBADDRESS(classid, objid, objsubid) "concat_ws(' ', " classid ", " objid ", " objsubid ") AS address, "
#define ADDRESS(catalog, oid)                SUBADDRESS("'" catalog "'::regclass::oid", oid, "0")

/* Not made by initdb: what OURS() below asks of a catalog's row, whatever else a query asks. */
#define NEW_BY(catalog, oid) catalog " WHERE " oid " >= " FIRST_OID
#define NEW_IN(catalog)      NEW_BY(catalog, "oid")

/* Not made by initdb, nor left out. */
#define OURS(catalog, oid) \
	" " oid " >= " FIRST_OID " AND NOT EXISTS (SELECT FROM outside" \
	" WHERE outside.classid = '" catalog "'::regclass" \
	" AND outside.objid = " oid ") "

/* Sixteen digits of a SHA-256 instead of a value that may be a secret. */
#define TAG(text) "'sha256:' || left(encode(sha256(textsend(" text ")), 'hex'), 16)"

/* text[] of name=value, in an order of its own; the second for values that may be secrets by their name. */
#define SORTED(array) "(SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest(" array ") o)"
#define QUOTED(array) "(SELECT string_agg(quote_literal(o), ', ' ORDER BY o COLLATE \"C\") FROM unnest(" array ") o)"
#define OPTIONS(array) \
	"(SELECT string_agg(CASE WHEN split_part(o, '=', 1) ~* '(pass|secret|token|key|credential)'" \
	" THEN split_part(o, '=', 1) || '=' || " TAG("o") \
	" ELSE quote_literal(o) END, ', ' ORDER BY o COLLATE \"C\") FROM unnest(" array ") o)"

/* The name of an object that has no simpler one. */
#define IDENTITY(catalog, oid) "(SELECT identity FROM pg_identify_object('" catalog "'::regclass, " oid ", 0))"

/* 'O' origin and local, 'D' disabled, 'R' replica, 'A' always: tgenabled, ev_enabled, evtenabled. */
#define ENABLED(column) \
	"CASE " column " WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END"

/* Privileges of one grantee as text: aclexplode() grouped; `owner` is the grantor that is not named. */
#define PRIVILEGES(owner) \
	"string_agg(privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END" \
	" || CASE WHEN grantor = " owner " THEN '' ELSE ' BY ' || quote_ident(pg_get_userbyid(grantor)) END," \
	" ', ' ORDER BY privilege_type COLLATE \"C\", pg_get_userbyid(grantor)::text COLLATE \"C\")"
#define GRANTEE(oid) "CASE WHEN " oid " = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(" oid ")) END"

extern const struct kind_list KINDS_RELATIONS, KINDS_COLUMNS, KINDS_CONSTRAINTS, KINDS_ROUTINES, KINDS_TYPES,
	KINDS_OPERATORS, KINDS_SECURITY, KINDS_REPLICATION, KINDS_EXTENSIONS, KINDS_TEXTSEARCH, KINDS_FOREIGN,
	KINDS_DATABASE, KINDS_UNMODELLED;
extern const struct kind_list KINDS_ROLES;
/* For changes alone: what needs a statement of its own, and the privileges from which a grant differs. */
extern const struct kind_list KINDS_PARTS, KINDS_BASES;

#endif
