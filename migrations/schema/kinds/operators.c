#include "migrations/schema/kinds/kinds.h"

#define NAMED(column) "nullif(" column "::regproc::text, '-')"
#define OPERATOR(oid) "CASE WHEN " oid " <> 0 THEN " oid "::regoperator::text END"

/* Entries of an extension's families are no members of it themselves: the family decides. */
#define FAMILY_OURS(oid) \
	" NOT EXISTS (SELECT FROM outside WHERE outside.classid = 'pg_opfamily'::regclass" \
	" AND outside.objid = " oid ") AND"

static const struct kind_query QUERIES[] = {
	{ "operator", .if_any = NEW_IN("pg_operator"), .sql =
		"SELECT " ADDRESS("pg_operator", "o.oid") "o.oid::regoperator::text AS name, pg_get_userbyid(o.oprowner) AS owner,"
		" " NAMED("o.oprcode") " AS function, format_type(o.oprresult, NULL) AS result,"
		" " OPERATOR("o.oprcom") " AS commutator, " OPERATOR("o.oprnegate") " AS negator,"
		" " NAMED("o.oprrest") " AS restrict, " NAMED("o.oprjoin") " AS join, o.oprcanmerge AS merges,"
		" o.oprcanhash AS hashes"
		" FROM pg_operator o JOIN space n ON n.oid = o.oprnamespace WHERE" OURS("pg_operator", "o.oid") },

	{ "operator class", .if_any = NEW_IN("pg_opclass"), .sql =
		"SELECT " ADDRESS("pg_opclass", "c.oid") IDENTITY("pg_opclass", "c.oid") " AS name, pg_get_userbyid(c.opcowner) AS owner,"
		" " IDENTITY("pg_opfamily", "c.opcfamily") " AS family, format_type(c.opcintype, NULL) AS type,"
		" CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END AS \"key type\","
		" c.opcdefault AS default"
		" FROM pg_opclass c JOIN space n ON n.oid = c.opcnamespace WHERE" OURS("pg_opclass", "c.oid") },

	{ "operator family", .if_any = NEW_IN("pg_opfamily"), .sql =
		"SELECT " ADDRESS("pg_opfamily", "f.oid") IDENTITY("pg_opfamily", "f.oid") " AS name, pg_get_userbyid(f.opfowner) AS owner"
		" FROM pg_opfamily f JOIN space n ON n.oid = f.opfnamespace WHERE" OURS("pg_opfamily", "f.oid") },

	{ "family operator", .if_any = NEW_IN("pg_amop"), .sql =
		"SELECT " ADDRESS("pg_amop", "o.oid") IDENTITY("pg_amop", "o.oid") " AS name, o.amopopr::regoperator::text AS operator,"
		" CASE o.amoppurpose WHEN 's' THEN 'search' ELSE 'ordering' END AS purpose,"
		" CASE WHEN o.amopsortfamily <> 0 THEN " IDENTITY("pg_opfamily", "o.amopsortfamily") " END"
		" AS \"sort family\""
		" FROM pg_amop o WHERE" FAMILY_OURS("o.amopfamily") OURS("pg_amop", "o.oid") },

	{ "family function", .if_any = NEW_IN("pg_amproc"), .sql =
		"SELECT " ADDRESS("pg_amproc", "p.oid") IDENTITY("pg_amproc", "p.oid") " AS name, p.amproc::regprocedure::text AS function"
		" FROM pg_amproc p WHERE" FAMILY_OURS("p.amprocfamily") OURS("pg_amproc", "p.oid") },

	{ "access method", .if_any = NEW_IN("pg_am"), .sql =
		"SELECT " ADDRESS("pg_am", "a.oid") "quote_ident(a.amname) AS name, a.amhandler::regproc::text AS handler, a.amtype::text"
		" AS type"
		" FROM pg_am a WHERE" OURS("pg_am", "a.oid") },
};

const struct kind_list KINDS_OPERATORS = KIND_LIST(QUERIES);
