/*
 * What a restore needs of the server and of the role, asked before anything is made: pg_restore would find the same after
 * hours, at the first statement that is refused.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/proof/passwords.h"
#include "runner/proof/roles.h"

#include <stdlib.h>
#include <string.h>

static const char *attribute(const struct fact *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->attributes[i].name, name) == 0)
			return f->attributes[i].value;
	return NULL;
}

static bool gate_versions(struct run *run, struct err *err)
{
	int dumped = manifest_pg_major(run->manifest), is = db_server_version(run->admin) / 10000;

	return dumped <= is ||
	       err_set(err, ERR_REFUSED,
	               "backup %s is PostgreSQL %d's, and the server is %d: only a newer one reads an older "
	               "one's",
	               manifest_id(run->manifest), dumped, is);
}

struct rights {
	bool super, create_db, create_role;
	char *role;
};

static bool read_rights(struct run *run, struct rights *out, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(run->admin,
	              "SELECT rolsuper, rolcreatedb, rolcreaterole, rolname FROM pg_catalog.pg_roles"
	              " WHERE rolname = current_user",
	              DB_NO_ARGS, &r, err))
		return false;
	out->super = rows_get(r, 0, 0)[0] == 't';
	out->create_db = out->super || rows_get(r, 0, 1)[0] == 't';
	out->create_role = out->super || rows_get(r, 0, 2)[0] == 't';
	out->role = mem_strdup(rows_get(r, 0, 3));
	return true;
}

/* Roles that are not there are made: see roles_recreate(). */
static bool gate_roles(struct run *run, const struct rights *is, struct err *err)
{
	static const char *const above[] = { "superuser", "replication", "bypass row security" };
	cleanup_schema struct schema *now = NULL;
	cleanup_strv struct strv missing = STRV_INIT;
	bool needs_super = false;

	if (!schema_read_roles(run->admin, &now, err))
		return false;
	roles_missing(run->before.roles, now, &missing);
	for (size_t i = 0; i < schema_count(run->before.roles); i++) {
		const struct fact *f = schema_fact(run->before.roles, i);
		for (size_t k = 0; strv_has(&missing, f->name) && k < sizeof(above) / sizeof(above[0]); k++) {
			needs_super |= attribute(f, above[k]) != NULL; /* a flag that is not set is none */
		}
	}
	if (missing.n == 0 || is->super || (is->create_role && !needs_super))
		return true;
	cleanup_free char *names = strv_join(&missing, ", ");
	err_set(err, ERR_REFUSED,
	        "roles of the backup are not on this server, and role %s may not create %s: %.600s", is->role,
	        needs_super ? "all of them" : "them", names);
	return err_hint(err,
	                "create them first: `ripcord backup fetch`, then roles.sql (docs/recovery.md), or "
	                "restore as a superuser");
}

/* Without a superuser every owner has to be a role that we are a member of, for ALTER ... OWNER TO. */
static bool gate_owners(struct run *run, struct err *err)
{
	cleanup_strv struct strv asked = STRV_INIT, others = STRV_INIT;
	const char *owner = json_string_value(json_object_get(run->before.facts, "owner"));

	strv_add(&asked, owner ? owner : "");
	for (size_t i = 0; i < schema_count(run->before.schema); i++) {
		owner = attribute(schema_fact(run->before.schema, i), "owner");
		if (owner && !strv_has(&asked, owner))
			strv_add(&asked, owner);
	}
	for (size_t i = 0; i < asked.n; i++) {
		int64_t member;
		/* pg_database_owner stands for the owner, and is nobody's by itself. */
		if (strcmp(asked.v[i], "pg_database_owner") == 0)
			continue;
		if (!db_int(run->admin,
		            "SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname = $1"
		            " AND pg_catalog.pg_has_role(oid, 'MEMBER')",
		            DB_ARGS(asked.v[i]), &member, err))
			return false;
		if (!member)
			strv_add(&others, asked.v[i]);
	}
	if (others.n == 0)
		return true;
	cleanup_free char *names = strv_join(&others, ", ");
	err_set(err, ERR_REFUSED, "a role that is no superuser cannot give objects to %.600s", names);
	return err_hint(err, "create those that are missing and make it a member of them, or restore as a "
	                     "superuser");
}

/* Only a superuser may create these, whoever owns them. */
static bool gate_kinds(struct run *run, struct err *err)
{
	static const char *const kinds[] = { "event trigger", "foreign data wrapper", "language" };

	for (size_t i = 0; i < schema_count(run->before.schema); i++) {
		const struct fact *f = schema_fact(run->before.schema, i);
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (strcmp(f->kind, kinds[k]) == 0)
				return err_set(err, ERR_REFUSED, "only a superuser can restore %s %s",
				               f->kind, f->name);
	}
	return true;
}

static bool gate_extension(struct run *run, const struct fact *f, const struct rights *is, struct err *err)
{
	cleanup_free char *needs = NULL;

	if (!db_value(run->admin,
	              "SELECT CASE WHEN bool_or(NOT superuser OR trusted) THEN 'no' ELSE "
	              "bool_and(superuser)::text END"
	              " FROM pg_catalog.pg_available_extension_versions"
	              " WHERE pg_catalog.quote_ident(name) = $1",
	              DB_ARGS(f->name), &needs, err))
		return false;
	if (!needs)
		return err_set(err, ERR_REFUSED,
		               "extension %s is in the backup, and is not installed on this server's machine",
		               f->name);
	if (strcmp(needs, "no") == 0 || is->super)
		return true;
	return err_set(err, ERR_REFUSED, "only a superuser can restore extension %s", f->name);
}

static bool gate_extensions(struct run *run, const struct rights *is, struct err *err)
{
	for (size_t i = 0; i < schema_count(run->before.schema); i++) {
		const struct fact *f = schema_fact(run->before.schema, i);
		/* template0 has it. */
		if (strcmp(f->kind, "extension") == 0 && strcmp(f->name, "plpgsql") != 0 &&
		    !gate_extension(run, f, is, err))
			return false;
	}
	return true;
}

/* Of the database, and of what is elsewhere than the database. */
static bool gate_tablespaces(struct run *run, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	strv_add(&names, json_string_value(json_object_get(run->before.facts, "tablespace")));
	for (size_t i = 0; i < schema_count(run->before.schema); i++) {
		const char *name = attribute(schema_fact(run->before.schema, i), "tablespace");
		if (name && !strv_has(&names, name))
			strv_add(&names, name);
	}
	for (size_t i = 0; i < names.n; i++) {
		int64_t n;
		if (!db_int(run->admin, "SELECT count(*) FROM pg_catalog.pg_tablespace WHERE spcname = $1",
		            DB_ARGS(names.v[i]), &n, err))
			return false;
		if (n == 0)
			return err_set(err, ERR_REFUSED,
			               "the backup has something in tablespace %s, which this server has not",
			               names.v[i]);
	}
	return true;
}

/* ALTER DATABASE ... SET of what only a superuser, or whoever was granted it, may set. */
static bool gate_setting(struct run *run, const char *name, struct err *err)
{
	int64_t barred;

	if (!db_int(run->admin,
	            db_server_version(run->admin) >= 150000
	                    ? "SELECT count(*) FROM pg_catalog.pg_settings WHERE lower(name) = lower($1)"
	                      " AND context IN ('superuser', 'superuser-backend')"
	                      " AND NOT pg_catalog.has_parameter_privilege(name, 'SET')"
	                    : "SELECT count(*) FROM pg_catalog.pg_settings WHERE lower(name) = lower($1)"
	                      " AND context IN ('superuser', 'superuser-backend')",
	            DB_ARGS(name), &barred, err))
		return false;
	return !barred ||
	       err_set(err, ERR_REFUSED, "only a superuser can give back the database's setting %s", name);
}

bool run_restore_dress_gates(struct run *run, struct err *err)
{
	const json_t *setting;
	struct rights is = { .role = NULL };
	size_t i;

	if (!read_rights(run, &is, err))
		return false;
	free(is.role);
	if (is.super)
		return true;
	json_array_foreach(json_object_get(run->before.facts, "settings"), i, setting)
	{
		const char *name = json_string_value(json_object_get(setting, "name"));
		if (name && !gate_setting(run, name, err))
			return err_hint(err, "without --as the database is restored without its settings");
	}
	return true;
}

static bool gates(struct run *run, const struct rights *is, struct err *err)
{
	if (!is->create_db) {
		err_set(err, ERR_REFUSED, "role %s may not create databases", is->role);
		return err_hint(err, "ALTER ROLE ... CREATEDB, as a superuser");
	}
	return gate_tablespaces(run, err) && gate_roles(run, is, err) && gate_extensions(run, is, err) &&
	       (is->super || (gate_kinds(run, err) && gate_owners(run, err)));
}

bool run_restore_gates(struct run *run, struct err *err)
{
	struct rights is = { .role = NULL };

	if (!gate_versions(run, err) || !read_rights(run, &is, err))
		return false;
	bool ok = gates(run, &is, err);
	free(is.role);
	return ok;
}

bool run_restore_roles(struct run *run, bool is_drill, struct err *err)
{
	const char *drill = is_drill ? run->id : NULL;

	if (!roles_recreate(run->admin, run->before.roles, drill, &run->recreated_roles, err))
		return false;
	for (size_t i = 0; i < run->recreated_roles.n; i++)
		log_warn("role %s was not there and is created without login", run->recreated_roles.v[i]);
	return true;
}

bool run_restore_has_passwords(const struct run *run, struct err *err)
{
	if (json_is_true(json_object_get(manifest_json(run->manifest), "role_passwords")))
		return true;
	err_set(err, ERR_REFUSED, "backup %s holds no passwords of roles", manifest_id(run->manifest));
	return err_hint(err, "only backups that were taken with role_passwords = yes do");
}

bool run_restore_passwords(struct run *run, struct err *err)
{
	cleanup_strv struct strv done = STRV_INIT;
	char *script;
	size_t len;

	if (!backup_member(&run->stores, run->manifest, "roles.sql", &script, &len, err))
		return false;
	bool ok = passwords_put(run->admin, script, &run->recreated_roles, &done, err);
	mem_wipe(script, len);
	free(script);
	for (size_t i = 0; ok && i < done.n; i++)
		log_warn("role %s has the login and the password that the backup has for it", done.v[i]);
	return ok;
}

bool run_sweep_roles(struct db *admin, struct err *err)
{
	cleanup_strv struct strv gone = STRV_INIT, left = STRV_INIT;

	if (!roles_sweep(admin, &gone, &left, err))
		return false;
	for (size_t i = 0; i < gone.n; i++)
		log_info("role %s, which a drill that was killed had made, is dropped", gone.v[i]);
	for (size_t i = 0; i < left.n; i++)
		log_warn("role %s is left of a drill that was killed: something still depends on it",
		         left.v[i]);
	return true;
}
