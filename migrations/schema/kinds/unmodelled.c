#include "migrations/schema/kinds/kinds.h"

/* Catalogs whose objects are facts of the other files, or parts of them: attribute defaults of columns,
 * shared objects of the cluster, large objects of the data. */
#define MODELLED_CATALOGS \
	"'pg_class', 'pg_attrdef', 'pg_constraint', 'pg_proc', 'pg_type', 'pg_cast', 'pg_collation', 'pg_conversion'," \
	" 'pg_language', 'pg_operator', 'pg_opclass', 'pg_opfamily', 'pg_amop', 'pg_amproc', 'pg_am', 'pg_rewrite'," \
	" 'pg_trigger', 'pg_namespace', 'pg_statistic_ext', 'pg_ts_config', 'pg_ts_dict', 'pg_ts_parser', 'pg_ts_template'," \
	" 'pg_foreign_data_wrapper', 'pg_foreign_server', 'pg_user_mapping', 'pg_default_acl', 'pg_extension'," \
	" 'pg_event_trigger', 'pg_policy', 'pg_publication', 'pg_publication_rel', 'pg_publication_namespace'," \
	" 'pg_subscription', 'pg_transform', 'pg_largeobject', 'pg_authid', 'pg_database', 'pg_tablespace'"

/*
 * What the other files do not know: an object of a catalog, or of a letter in a catalog, that is newer
 * than this program.  pg_depend and pg_shdepend know every object by its catalog, so no list of
 * catalogs to come is needed.  pg_publication_namespace is missing before 15: to_regclass.
 */
static const struct kind_query QUERIES[] = {
	{ "unmodelled", .sql =
		", modelled(classid) AS (SELECT to_regclass(c)::oid"
		" FROM unnest(ARRAY[" MODELLED_CATALOGS "]) c), "
		"object(classid, objid) AS ("
		"SELECT classid, objid FROM pg_depend WHERE classid NOT IN (SELECT classid FROM modelled"
		" WHERE classid IS NOT NULL)"
		" UNION SELECT classid, objid FROM pg_shdepend WHERE dbid = (SELECT oid FROM pg_database"
		" WHERE datname = current_database())"
		" AND classid NOT IN (SELECT classid FROM modelled WHERE classid IS NOT NULL)"
		" UNION SELECT 'pg_class'::regclass, oid FROM pg_class"
		" WHERE relkind NOT IN ('r','p','v','m','f','S','i','I','c','t')"
		" UNION SELECT 'pg_type'::regclass, oid FROM pg_type"
		" WHERE typtype NOT IN ('b','c','d','e','m','p','r')"
		" UNION SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE prokind NOT IN ('f','p','a','w')) "
		"SELECT i.type || ' ' || i.identity AS name"
		" FROM object o, pg_identify_object(o.classid, o.objid, 0) i"
		" WHERE o.objid >= " FIRST_OID
		" AND NOT EXISTS (SELECT FROM outside x WHERE x.classid = o.classid AND x.objid = o.objid)" },
};

const struct kind_list KINDS_UNMODELLED = KIND_LIST(QUERIES);
