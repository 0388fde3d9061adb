#include "runner/facts_sql.h"

#include "runner/facts.h"

/* ------------------------------------------------------------------ answers */

static struct fact_bool yes_or_no(const struct rows *rows, size_t column)
{
	const char *text = rows_count(rows) == 1 ? rows_get(rows, 0, column) : NULL;

	return (struct fact_bool){ text ? FACT_KNOWN : FACT_UNKNOWN, text && *text == 't' };
}

static struct fact_int number(const struct rows *rows, size_t column)
{
	if (rows_count(rows) != 1 || !rows_get(rows, 0, column))
		return (struct fact_int){ FACT_UNKNOWN, 0 };
	return (struct fact_int){ FACT_KNOWN, rows_int(rows, 0, column) };
}

static void add_all(struct strv *list, const struct rows *rows)
{
	for (size_t i = 0; i < rows_count(rows); i++) {
		if (rows_get(rows, i, 0))
			strv_add(list, rows_get(rows, i, 0));
	}
}

static void take_server(struct facts *f, const struct rows *rows)
{
	f->is_standby = yes_or_no(rows, 0);
	f->read_only = yes_or_no(rows, 1);
	f->is_superuser = yes_or_no(rows, 2);
	f->can_create_db = yes_or_no(rows, 3);
	f->owns_database = yes_or_no(rows, 4);
	f->can_terminate = yes_or_no(rows, 5);
	if (rows_count(rows) == 1) {
		f->role = facts_keep(f, rows_get(rows, 0, 6));
		f->database = facts_keep(f, rows_get(rows, 0, 7));
	}
}

static void take_size(struct facts *f, const struct rows *rows) { f->database_bytes = number(rows, 0); }
static void take_counts(struct facts *f, const struct rows *rows) { f->track_counts = yes_or_no(rows, 0); }
static void take_readable(struct facts *f, const struct rows *rows) { f->can_read_all = yes_or_no(rows, 0); }
static void take_invalid(struct facts *f, const struct rows *rows) { add_all(&f->invalid_indexes, rows); }
static void take_slots(struct facts *f, const struct rows *rows) { add_all(&f->logical_slots, rows); }
static void take_subscribed(struct facts *f, const struct rows *rows) { add_all(&f->subscriptions, rows); }
static void take_prepared(struct facts *f, const struct rows *rows) { add_all(&f->prepared_xacts, rows); }
static void take_bound(struct facts *f, const struct rows *rows) { add_all(&f->name_bound_extensions, rows); }
static void take_dumps(struct facts *f, const struct rows *rows) { add_all(&f->foreign_dumps, rows); }
static void take_sessions(struct facts *f, const struct rows *rows) { add_all(&f->superuser_sessions, rows); }
static void take_missing(struct facts *f, const struct rows *rows) { add_all(&f->extensions_missing, rows); }
static void take_standbys(struct facts *f, const struct rows *rows) { add_all(&f->standbys, rows); }
static void take_lag(struct facts *f, const struct rows *rows) { f->replay_lag_bytes = number(rows, 0); }
static void take_unrestorable(struct facts *f, const struct rows *rows) { add_all(&f->unrestorable, rows); }

/* ------------------------------------------------------------------ questions */

#define THIS_DATABASE "(SELECT oid FROM pg_database WHERE datname = current_database())"
#define ME            "(SELECT oid FROM pg_roles WHERE rolname = current_user)"
#define I_AM_SUPER    "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
/* Objects of users: not initdb's (access/transam.h, FirstNormalObjectId), not an extension's. */
#define OF_USERS(alias, catalog)                                                                             \
	alias ".oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '" catalog            \
	      "'::regclass AND d.objid = " alias ".oid AND d.deptype = 'e')"

/*
 * What pg_dump locks and reads: tables and sequences of users' schemas.  Row security makes it fail for
 * whoever is subject to it; the rights of a large object are its own (its ACL, or its owner).
 */
static const char readable_sql[] =
	"SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'"
	" AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND " OF_USERS(
		"c", "pg_class") " AND NOT (has_schema_privilege(n.oid, 'USAGE')"
				 "  AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')"
				 "      ELSE has_table_privilege(c.oid, 'SELECT') END"
				 "  AND NOT row_security_active(c.oid)))"
				 " AND (" I_AM_SUPER " OR NOT EXISTS (SELECT FROM pg_largeobject_metadata l"
				 " WHERE NOT pg_has_role(l.lomowner, 'USAGE') AND NOT EXISTS (SELECT FROM "
				 "aclexplode(l.lomacl) a"
				 "  WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR "
				 "pg_has_role(a.grantee, 'USAGE')))))";

/* pg_stat_activity hides much of others' sessions from lesser roles, but not the role.
 * Who may end whom: pg_terminate_backend()'s own rule (storage/ipc/signalfuncs.c). */
static const char sessions_sql[] =
	"SELECT 'pid ' || a.pid || ', role ' || r.rolname"
	" FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid"
	" WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()"
	" AND coalesce(a.backend_type, 'client backend') IN ('client backend', 'walsender')"
	" AND NOT " I_AM_SUPER " AND (r.rolsuper OR NOT (pg_has_role(a.usesysid, 'USAGE')"
	"  OR pg_has_role('pg_signal_backend', 'USAGE')))"
	" ORDER BY a.pid";

/* A reader of pg_wal and of pg_stat_replication in one: replay_lsn is NULL for lesser roles. */
static const char lag_sql[] =
	"SELECT CASE WHEN count(*) = 0 THEN 0 WHEN count(replay_lsn) < count(*) THEN NULL"
	" ELSE greatest(0, max(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
	"  ELSE pg_current_wal_lsn() END, replay_lsn)))::bigint END"
	" FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'"
	" AND pid NOT IN (SELECT active_pid FROM pg_replication_slots"
	"  WHERE active_pid IS NOT NULL AND slot_type = 'logical')";

/* proof.md section 2: what a database owner who is no superuser cannot restore. */
static const char superuser_objects_sql[] =
	"SELECT what FROM ("
	" SELECT 'event trigger ' || quote_ident(t.evtname) AS what FROM pg_event_trigger t"
	"  WHERE " OF_USERS(
		"t",
		"pg_event_trigger") " UNION ALL SELECT 'publication ' || quote_ident(p.pubname) || ' "
				    "for all tables' FROM pg_publication p"
				    "  WHERE p.puballtables"
				    " UNION ALL SELECT 'extension ' || quote_ident(e.extname) || ' (not "
				    "trusted)' FROM pg_extension e"
				    "  JOIN pg_available_extension_versions v ON v.name = e.extname AND "
				    "v.version = e.extversion"
				    "  WHERE v.superuser AND NOT v.trusted"
				    " UNION ALL SELECT 'function ' || p.oid::regprocedure || ' in "
				    "language ' || l.lanname FROM pg_proc p"
				    "  JOIN pg_language l ON l.oid = p.prolang WHERE NOT l.lanpltrusted "
				    "AND l.lanname <> 'sql' AND " OF_USERS(
					    "p",
					    "pg_proc") " UNION ALL SELECT 'type ' || y.oid::regtype "
						       "FROM pg_type y"
						       "  WHERE y.typtype = 'b' AND y.typcategory <> "
						       "'A' AND " OF_USERS(
							       "y",
							       "pg_type") " UNION ALL SELECT "
									  "'foreign-data wrapper ' || "
									  "quote_ident(w.fdwname) FROM "
									  "pg_foreign_data_wrapper w"
									  "  WHERE " OF_USERS(
										  "w",
										  "pg_foreign_data_"
										  "wrapper") " UNION "
											     "ALL "
											     "SELECT "
											     "'operator "
											     "class ' "
											     "|| "
											     "quote_"
											     "ident(o."
											     "opcname) "
											     "FROM "
											     "pg_"
											     "opclass o"
											     "  "
											     "WHERE"
											     " " OF_USERS("o", "pg_opclass") " UNION ALL SELECT 'access method ' || quote_ident(m.amname) FROM pg_am m WHERE " OF_USERS(
												     "m",
												     "pg"
												     "_a"
												     "m") " U"
													  "NI"
													  "ON"
													  " A"
													  "LL"
													  " S"
													  "EL"
													  "EC"
													  "T "
													  "'t"
													  "ex"
													  "t "
													  "se"
													  "ar"
													  "ch"
													  " p"
													  "ar"
													  "se"
													  "r "
													  "' "
													  "||"
													  " q"
													  "uo"
													  "te"
													  "_i"
													  "de"
													  "nt"
													  "(x"
													  ".p"
													  "rs"
													  "na"
													  "me"
													  ") "
													  "FR"
													  "OM"
													  " p"
													  "g_"
													  "ts"
													  "_p"
													  "ar"
													  "se"
													  "r "
													  "x"
													  "  "
													  "WH"
													  "ER"
													  "E"
													  " " OF_USERS(
														  "x",
														  "pg_ts_parser") " UNION ALL SELECT 'text search template ' || quote_ident(x.tmplname) FROM pg_ts_template x"
																  "  WHERE " OF_USERS(
																	  "x",
																	  "pg_ts_template") ") AS found WHERE NOT " I_AM_SUPER
																			    " ORDER BY what";

/* FOR TABLES IN SCHEMA came with 15, and wants a superuser too. */
static const char schema_publications_sql[] =
	"SELECT DISTINCT 'publication ' || quote_ident(p.pubname) || ' for tables in schema'"
	" FROM pg_publication_namespace n JOIN pg_publication p ON p.oid = n.pnpubid WHERE NOT " I_AM_SUPER;

/* ALTER ... OWNER TO a role that we are no member of.  pg_shdepend would not do: what the first superuser
 * owns is pinned and not in it.  pg_dump writes no owner for extensions' members. */
#define OWNED(catalog, owner, name)                                                                          \
	" SELECT o." owner " AS owner, " name " AS name FROM " catalog " o WHERE " OF_USERS("o", catalog)
static const char owners_sql[] =
	"SELECT count(*) || ' objects of role ' || r.rolname || ', such as ' || "
	"min(found.name) FROM (" OWNED(
		"pg_class", "relowner",
		"o.oid::regclass::text") " AND o.relkind NOT IN ('i', 'I', 't', "
					 "'c') AND o.relpersistence <> 't'"
					 " UNION ALL" OWNED(
						 "pg_proc", "proowner",
						 "o.oid::regprocedure::text") " UN"
									      "ION"
									      " AL"
									      "L" OWNED(
										      "pg_namespace",
										      "nspowner",
										      "quote_ident(o."
										      "nspname)") " AND "
												  "o.nspname "
												  "!~ '^pg_'"
												  " UNION "
												  "ALL" OWNED("pg_type", "typowner", "o.oid::regtype::text") " AND o.typtype IN ('d', 'e', 'r')"
																			     " UNION ALL" OWNED("pg_operator", "oprowner", "o.oid::regoperator::text") " UNION ALL" OWNED("pg_collation", "collowner", "quote_ident(o.collname)") " UNION ALL" OWNED("pg_conversion", "conowner", "quote_ident(o.conname)") " UNION ALL" OWNED("pg_opfamily",
                                                                                                                                                                                                                                                                                                                                                                                                               "opfowner",
                                                                                                                                                                                                                                                                                                                                                                                                               "quote_ident(o.opfname)") " UNION ALL" OWNED("pg_foreign_server", "srvowner", "quote_ident(o.srvname)") " UNION ALL" OWNED("pg_ts_config", "cfgowner", "quote_ident(o.cfgname)") " UNION ALL" OWNED("pg_ts_dict",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   "dictowner", "quote_ident(o.dictname)") " UNION ALL" OWNED("pg_statistic_ext", "stxowner", "quote_ident(o.stxname)") " UNION ALL" OWNED("pg_publication",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "pubowner",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "quote_ident(o.pubname)") " UNION ALL SELECT o.lomowner, 'large object ' || o.oid FROM pg_largeobject_metadata o"
																																																																																														     ") AS found JOIN pg_roles r ON r.oid = found.owner"
																																																																																														     " WHERE NOT " I_AM_SUPER
																																																																																														     " AND NOT pg_has_role(found.owner, 'MEMBER')"
																																																																																														     " GROUP BY r.rolname ORDER BY r.rolname";

/* Settings of the database that only a superuser may put back, by name: a value may be a secret.
 * 14 has no rights on single settings, and is tolerated without this question. */
#define SETTINGS_OF_DATABASE                                                                                 \
	" FROM (SELECT s.setrole, split_part(unnest(s.setconfig), '=', 1) AS name FROM pg_db_role_setting s" \
	"  WHERE s.setdatabase = " THIS_DATABASE ") AS found"
#define NEEDS_SUPERUSER                                                                                      \
	"(SELECT p.context IN ('superuser', 'superuser-backend') FROM pg_settings p WHERE lower(p.name) = "  \
	"lower(found.name))"
static const char settings_sql[] =
	"SELECT DISTINCT 'setting ' || found.name" SETTINGS_OF_DATABASE " WHERE NOT " I_AM_SUPER
	" AND " NEEDS_SUPERUSER " AND NOT has_parameter_privilege(found.name, 'SET')";
static const char role_settings_sql[] =
	"SELECT DISTINCT 'setting ' || found.name || ' of role ' || r.rolname" SETTINGS_OF_DATABASE
	" JOIN pg_roles r ON r.oid = found.setrole WHERE r.oid <> " ME
	" AND NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)";

/* reset_val: our own sessions switch it off, an application's would not (and a standby has it on). */
const struct question facts_questions[] = {
	{ "the server and the role",
	  "SELECT pg_is_in_recovery(), (SELECT reset_val::bool FROM pg_settings WHERE name = "
	  "'default_transaction_read_only'), r.rolsuper,"
	  " r.rolsuper OR r.rolcreatedb, pg_has_role(d.datdba, 'USAGE'),"
	  " r.rolsuper OR pg_has_role('pg_signal_backend', 'USAGE'), r.rolname, d.datname"
	  " FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()",
	  0, take_server },
	{ "the database's size", "SELECT pg_database_size(current_database())", 0, take_size },
	{ "track_counts",
	  "SELECT current_setting('track_counts')::bool AND NOT EXISTS (SELECT FROM pg_db_role_setting s,"
	  " unnest(s.setconfig) AS one(setting) WHERE s.setdatabase IN (0, " THIS_DATABASE ")"
	  " AND one.setting ~* '^track_counts=(of|f|n|0)')",
	  0, take_counts },
	{ "readable tables", readable_sql, 0, take_readable },
	{ "invalid indexes",
	  "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid"
	  " WHERE NOT i.indisvalid AND t.relkind <> 'p' AND t.relpersistence <> 't' AND " OF_USERS(
		  "t", "pg_class") " ORDER BY 1",
	  0, take_invalid },
	{ "logical slots",
	  "SELECT quote_ident(slot_name) || CASE WHEN active THEN '' ELSE ' (not in use)' END FROM "
	  "pg_replication_slots"
	  " WHERE database = current_database() ORDER BY slot_name",
	  0, take_slots },
	{ "subscriptions",
	  "SELECT quote_ident(subname) FROM pg_subscription WHERE subdbid = " THIS_DATABASE
	  " ORDER BY subname",
	  0, take_subscribed },
	{ "prepared transactions",
	  "SELECT quote_literal(gid) || ' of role ' || owner FROM pg_prepared_xacts WHERE database = "
	  "current_database()"
	  " ORDER BY prepared",
	  0, take_prepared },
	{ "extensions bound to a name",
	  "SELECT extname FROM pg_extension WHERE extname = 'pg_cron' OR (extname = 'pg_partman'"
	  " AND current_database() = ANY "
	  "(string_to_array(replace(coalesce(current_setting('pg_partman_bgw.dbname', true),"
	  " ''), ' ', ''), ','))) ORDER BY extname",
	  0, take_bound },
	{ "running dumps",
	  "SELECT 'pid ' || pid || coalesce(' since ' || to_char(backend_start, 'HH24:MI'), '') FROM "
	  "pg_stat_activity"
	  " WHERE datname = current_database() AND pid <> pg_backend_pid()"
	  " AND application_name IN ('pg_dump', 'pg_dumpall') ORDER BY pid",
	  0, take_dumps },
	{ "sessions of others", sessions_sql, 0, take_sessions },
	{ "extensions' versions",
	  "SELECT quote_ident(e.extname) || ' ' || e.extversion FROM pg_extension e WHERE NOT EXISTS"
	  " (SELECT FROM pg_available_extension_versions v WHERE v.name = e.extname AND v.version = "
	  "e.extversion)"
	  " ORDER BY e.extname",
	  0, take_missing },
	{ "standbys",
	  "SELECT coalesce(nullif(application_name, ''), 'pid ' || pid) FROM pg_stat_replication"
	  " WHERE state IS DISTINCT FROM 'backup' AND pid NOT IN (SELECT active_pid FROM pg_replication_slots"
	  "  WHERE active_pid IS NOT NULL AND slot_type = 'logical') ORDER BY 1",
	  0, take_standbys },
	{ "replay lag", lag_sql, 0, take_lag },
	{ "objects for superusers", superuser_objects_sql, 0, take_unrestorable },
	{ "publications of schemas", schema_publications_sql, 15, take_unrestorable },
	{ "owners of objects", owners_sql, 0, take_unrestorable },
	{ "settings of the database", settings_sql, 15, take_unrestorable },
	{ "settings of roles", role_settings_sql, 0, take_unrestorable },
};
const size_t facts_questions_count = sizeof(facts_questions) / sizeof(facts_questions[0]);

const char facts_place_sql[] =
	"SELECT host(inet_server_addr()), (SELECT setting FROM pg_settings WHERE name = 'data_directory'),"
	" pg_tablespace_location(dattablespace), current_setting('port'),"
	" extract(epoch FROM pg_postmaster_start_time())::bigint"
	" FROM pg_database WHERE datname = current_database()";
