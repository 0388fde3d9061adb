#include "runner/proof/database.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/text.h"
#include "base/uuid.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 63 }; /* NAMEDATALEN - 1; PostgreSQL cuts longer names silently */

bool database_oid(struct db *db, const char *name, int64_t *oid, struct err *err)
{
	return db_int(db,
	              "SELECT coalesce((SELECT oid::int8 FROM pg_catalog.pg_database WHERE datname = $1), 0)",
	              DB_ARGS(name), oid, err);
}

bool database_name(struct db *db, int64_t oid, char **name, struct err *err)
{
	cleanup_free char *text = mem_fmt("%lld", (long long)oid);

	return db_value(db, "SELECT (SELECT datname FROM pg_catalog.pg_database WHERE oid = $1::oid)",
	                DB_ARGS(text), name, err);
}

char *database_derived_name(const char *database, const char *kind, const char *run)
{
	cleanup_free char *tail = mem_fmt("_%s_%s", kind, uuid_short(run));
	size_t room = NAME_BYTES - strlen(tail);

	return mem_fmt("%.*s%s", (int)text_utf8_cut(database, room), database, tail);
}

int64_t database_mark(const char *name)
{
	char hex[SHA256_HEX];

	sha256_of(name, strlen(name), hex);
	hex[8] = '\0';
	return INT64_C(1) << 30 | strtoll(hex, NULL, 16) >> 2;
}

/* ------------------------------------------------------------------ facts */

/* One object; versions differ in the columns that hold ICU's locale and rules. */
static const char facts_sql[] =
	"SELECT pg_catalog.json_build_object("
	" 'oid', d.oid::int8, 'name', d.datname, 'owner', pg_catalog.pg_get_userbyid(d.datdba),"
	" 'encoding', pg_catalog.pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', "
	"d.datctype,"
	" 'provider', pg_catalog.to_jsonb(d)->>'datlocprovider',"
	" 'locale', coalesce(pg_catalog.to_jsonb(d)->>'datlocale', pg_catalog.to_jsonb(d)->>'daticulocale'),"
	" 'rules', pg_catalog.to_jsonb(d)->>'daticurules',"
	" 'collation_version', pg_catalog.to_jsonb(d)->>'datcollversion',"
	" 'tablespace', t.spcname, 'connection_limit', d.datconnlimit, 'is_template', d.datistemplate,"
	" 'comment', pg_catalog.shobj_description(d.oid, 'pg_database'),"
	" 'acl', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object("
	"   'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,"
	"   'privilege', a.privilege_type, 'grantable', a.is_grantable) ORDER BY a.grantee, a.privilege_type)"
	"  FROM pg_catalog.aclexplode(d.datacl) a),"
	" 'settings', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object("
	"   'role', CASE WHEN s.setrole <> 0 THEN pg_catalog.pg_get_userbyid(s.setrole) END,"
	"   'name', pg_catalog.split_part(e.entry, '=', 1),"
	"   'value', pg_catalog.substr(e.entry, pg_catalog.strpos(e.entry, '=') + 1)) ORDER BY s.setrole, "
	"e.place)"
	"  FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) WITH ORDINALITY e(entry, "
	"place)"
	"  WHERE s.setdatabase = d.oid),"
	" 'labels', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('provider', l.provider, "
	"'label', l.label)"
	"   ORDER BY l.provider) FROM pg_catalog.pg_shseclabel l"
	"  WHERE l.objoid = d.oid AND l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass))"
	" FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE "
	"d.datname = $1";

bool database_facts(struct db *db, const char *name, json_t **out, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, facts_sql, DB_ARGS(name), &r, err))
		return err_wrap(err, "cannot read the facts of database \"%s\"", name);
	if (rows_count(r) != 1)
		return err_set(err, ERR_DB, "there is no database \"%s\"", name);
	const char *text = rows_get(r, 0, 0);
	return json_parse(text, strlen(text), "database facts", out, err);
}

static const char *fact(const json_t *facts, const char *key)
{
	return json_string_value(json_object_get(facts, key));
}

json_t *database_facts_public(const json_t *facts)
{
	json_t *out = json_deep_copy(facts), *setting;
	size_t i;

	json_array_foreach(json_object_get(out, "settings"), i, setting)
	{
		char hex[SHA256_HEX];
		const char *value = fact(setting, "value");
		if (!value)
			continue; /* it is so already */
		sha256_of(value, strlen(value), hex);
		json_object_del(setting, "value");
		json_put(setting, "sha256", json_str(hex));
	}
	return out;
}

/* The locale's clauses: which exist depends on the server, which provider on the database. */
static void add_locale(struct buf *sql, const json_t *facts)
{
	const char *provider = fact(facts, "provider"), *locale = fact(facts, "locale"),
		   *rules = fact(facts, "rules");

	buf_sql(sql, " ENCODING %L LC_COLLATE %L LC_CTYPE %L", fact(facts, "encoding"),
	        fact(facts, "collate"), fact(facts, "ctype"));
	if (provider && strcmp(provider, "i") == 0)
		buf_sql(sql, " LOCALE_PROVIDER icu ICU_LOCALE %L", locale);
	else if (provider && strcmp(provider, "b") == 0)
		buf_sql(sql, " LOCALE_PROVIDER builtin BUILTIN_LOCALE %L", locale);
	else if (provider)
		buf_str(sql, " LOCALE_PROVIDER libc");
	if (rules)
		buf_sql(sql, " ICU_RULES %L", rules);
}

bool database_create_like(struct db *db, const char *name, const json_t *facts, const char *comment,
                          struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(1 << 20);
	int64_t oid;

	if (!database_oid(db, name, &oid, err))
		return false;
	if (oid != 0)
		return err_set(err, ERR_REFUSED, "there is a database \"%s\" already", name);
	buf_sql(&sql, "CREATE DATABASE %I TEMPLATE template0 OWNER %I CONNECTION LIMIT %lld", name,
	        fact(facts, "owner"), (long long)database_mark(name));
	add_locale(&sql, facts);
	/* Naming the default one asks for a right on it that a plain owner has not. */
	if (strcmp(fact(facts, "tablespace"), "pg_default") != 0)
		buf_sql(&sql, " TABLESPACE %I", fact(facts, "tablespace"));
	if (!db_run(db, buf_text(&sql), err))
		return err_wrap(err, "cannot create database \"%s\"", name);
	/* Nothing but the restore connects to it: an application that finds it by a pattern must not.  One transaction. */
	if (!db_runf(db, err,
	             "REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC; COMMENT ON DATABASE %I IS %L;"
	             " ALTER DATABASE %I CONNECTION LIMIT -1",
	             name, name, comment, name)) {
		cleanup_free char *drop = sql_fmt("DROP DATABASE %I", name);
		db_try(db, drop);
		return false;
	}
	return true;
}

static void add_grants(struct buf *sql, const char *name, const json_t *facts)
{
	const json_t *acl = json_object_get(facts, "acl"), *grant;
	const char *owner = fact(facts, "owner");
	size_t i;

	/* A NULL ACL is the default one: CONNECT and TEMPORARY for everybody, all for the owner. */
	if (!json_is_array(acl)) {
		buf_sql(sql, "GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC;", name);
		return;
	}
	buf_sql(sql, "REVOKE ALL ON DATABASE %I FROM %I;", name, owner);
	json_array_foreach(acl, i, grant)
	{
		const char *grantee = fact(grant, "grantee");
		bool option = json_is_true(json_object_get(grant, "grantable"));

		buf_sql(sql, "GRANT %s ON DATABASE %I TO ", fact(grant, "privilege"), name);
		if (grantee)
			sql_ident(sql, grantee);
		else
			buf_str(sql, "PUBLIC");
		buf_str(sql, option ? " WITH GRANT OPTION;" : ";");
	}
}

/* Settings whose value is a list of identifiers are stored as the text that SET would take; all others as one value. */
static bool is_list_setting(const char *name)
{
	static const char *const lists[] = { "search_path",
		                             "temp_tablespaces",
		                             "session_preload_libraries",
		                             "local_preload_libraries",
		                             "shared_preload_libraries",
		                             "DateStyle" };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcasecmp(lists[i], name) == 0)
			return true;
	return false;
}

/* A name of an extension's setting has a point in it, which %I would swallow: each part is quoted. */
static void add_setting_name(struct buf *sql, const char *name)
{
	const char *point = strchr(name, '.');

	if (point) {
		cleanup_free char *head = mem_strndup(name, (size_t)(point - name));
		sql_ident(sql, head);
		buf_char(sql, '.');
		name = point + 1;
	}
	sql_ident(sql, name);
}

static void add_settings(struct buf *sql, const char *name, const json_t *facts)
{
	const json_t *setting;
	size_t i;

	json_array_foreach(json_object_get(facts, "settings"), i, setting)
	{
		const char *role = fact(setting, "role"), *key = fact(setting, "name"),
			   *value = fact(setting, "value");

		if (role)
			buf_sql(sql, "ALTER ROLE %I IN DATABASE %I SET ", role, name);
		else
			buf_sql(sql, "ALTER DATABASE %I SET ", name);
		add_setting_name(sql, key);
		buf_str(sql, " TO ");
		if (is_list_setting(key))
			buf_str(sql, *value ? value : "''");
		else
			sql_literal(sql, value);
		buf_char(sql, ';');
	}
}

char *database_settings_sql(const char *name, const json_t *facts)
{
	struct buf sql = BUF_INIT(1 << 26);

	add_settings(&sql, name, facts);
	return buf_take(&sql);
}

char *database_no_settings_sql(const char *name, const json_t *facts)
{
	struct buf sql = BUF_INIT(1 << 26);
	const json_t *setting;
	size_t i;

	buf_sql(&sql, "ALTER DATABASE %I RESET ALL;", name);
	json_array_foreach(json_object_get(facts, "settings"), i, setting)
	{
		const char *role = fact(setting, "role");
		if (role)
			buf_sql(&sql, "ALTER ROLE %I IN DATABASE %I RESET ALL;", role, name);
	}
	return buf_take(&sql);
}

char *database_facts_sql(const char *name, const json_t *facts)
{
	struct buf sql = BUF_INIT(1 << 26);
	const json_t *label;
	size_t i;

	buf_sql(&sql, "ALTER DATABASE %I OWNER TO %I;", name, fact(facts, "owner"));
	add_grants(&sql, name, facts);
	add_settings(&sql, name, facts);
	buf_sql(&sql, "COMMENT ON DATABASE %I IS %L;", name, fact(facts, "comment"));
	buf_sql(&sql, "ALTER DATABASE %I WITH CONNECTION LIMIT %lld IS_TEMPLATE %s;", name,
	        (long long)json_integer_value(json_object_get(facts, "connection_limit")),
	        json_is_true(json_object_get(facts, "is_template")) ? "true" : "false");
	json_array_foreach(json_object_get(facts, "labels"), i, label)
		buf_sql(&sql, "SECURITY LABEL FOR %I ON DATABASE %I IS %L;", fact(label, "provider"), name,
	                fact(label, "label"));
	return buf_take(&sql);
}

bool database_drop(struct db *db, const char *name, struct err *err)
{
	return db_runf(db, err, "DROP DATABASE %I", name);
}
