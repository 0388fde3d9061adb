#include "runner/proof/roles.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"

#include <stdlib.h>
#include <string.h>

static const struct fact *find(const struct schema *s, const char *kind, const char *name)
{
	for (size_t i = 0; i < schema_count(s); i++) {
		const struct fact *f = schema_fact(s, i);
		if (strcmp(f->kind, kind) == 0 && strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

/* NULL where it has none; a flag that is not set is none. */
static const char *attribute(const struct fact *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->attributes[i].name, name) == 0)
			return f->attributes[i].value;
	return NULL;
}

/* What is between the two is the id of the drill's run. */
#define DRILL_COMMENT     "ripcord: role of drill "
#define DRILL_COMMENT_END "; may be dropped"

/* Names of facts are quoted as SQL wants them already, so they go into the text as they are. */
static char *create_role_sql(const struct fact *role, const char *drill)
{
	static const struct {
		const char *attribute, *option;
	} flags[] = {
		{ "superuser", "SUPERUSER" },     { "no inherit", "NOINHERIT" },
		{ "create role", "CREATEROLE" },  { "create database", "CREATEDB" },
		{ "replication", "REPLICATION" }, { "bypass row security", "BYPASSRLS" },
	};
	const char *limit = attribute(role, "connection limit"), *until = attribute(role, "valid until");
	cleanup_free char *mark = drill ? mem_fmt(DRILL_COMMENT "%s" DRILL_COMMENT_END, drill) : NULL;
	const char *comment = drill ? mark : attribute(role, "comment");
	struct buf sql = BUF_INIT(1 << 16);

	buf_fmt(&sql, "CREATE ROLE %s NOLOGIN", role->name);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (attribute(role, flags[i].attribute))
			buf_fmt(&sql, " %s", flags[i].option);
	}
	if (limit)
		buf_fmt(&sql, " CONNECTION LIMIT %s", limit);
	if (until)
		buf_sql(&sql, " VALID UNTIL %L", until);
	if (comment) {
		buf_fmt(&sql, "; COMMENT ON ROLE %s IS ", role->name);
		sql_literal(&sql, comment);
	}
	return buf_take(&sql);
}

/* Where `word` stands in text outside double quotes, NULL when it does not. */
static const char *outside_quotes(const char *text, const char *word)
{
	bool quoted = false;

	for (; *text; text++) {
		if (*text == '"')
			quoted = !quoted;
		if (!quoted && strncmp(text, word, strlen(word)) == 0)
			return text;
	}
	return NULL;
}

/* A membership is called "MEMBER in ROLE by GRANTOR". */
static bool grant_membership(struct db *db, const struct fact *m, const struct strv *created, struct err *err)
{
	const char *in = outside_quotes(m->name, " in "), *by = in ? outside_quotes(in + 4, " by ") : NULL;

	if (!by)
		return err_set(err, ERR_CORRUPT, "a role membership of unknown form: %s", m->name);
	cleanup_free char *member = mem_strndup(m->name, (size_t)(in - m->name));
	cleanup_free char *role = mem_strndup(in + 4, (size_t)(by - in - 4));
	if (!strv_has(created, member) && !strv_has(created, role))
		return true;

	cleanup_free char *sql =
		mem_fmt("GRANT %s TO %s%s", role, member, attribute(m, "admin") ? " WITH ADMIN OPTION" : "");
	return db_run(db, sql, err) || err_wrap(err, "cannot give back the membership %s", m->name);
}

void roles_missing(const struct schema *before, const struct schema *now, struct strv *out)
{
	for (size_t i = 0; i < schema_count(before); i++) {
		const struct fact *f = schema_fact(before, i);
		if (strcmp(f->kind, "role") == 0 && !find(now, "role", f->name))
			strv_add(out, f->name);
	}
}

bool roles_recreate(struct db *db, const struct schema *before, const char *drill, struct strv *created,
                    struct err *err)
{
	cleanup_schema struct schema *now = NULL;

	if (!schema_read_roles(db, &now, err))
		return false;
	for (size_t i = 0; i < schema_count(before); i++) {
		const struct fact *f = schema_fact(before, i);
		if (strcmp(f->kind, "role") != 0 || find(now, "role", f->name))
			continue;
		cleanup_free char *sql = create_role_sql(f, drill);
		if (!db_run(db, sql, err))
			return err_wrap(err, "cannot create role %s, which is not there any more", f->name);
		strv_add(created, f->name);
	}
	for (size_t i = 0; i < schema_count(before) && created->n > 0; i++) {
		const struct fact *f = schema_fact(before, i);
		if (strcmp(f->kind, "membership") == 0 && !grant_membership(db, f, created, err))
			return false;
	}
	return true;
}

/* A session that may not be looked at could be the drill's. */
static const char dead_sql[] =
	"SELECT pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles r,"
	" pg_catalog.substring(pg_catalog.shobj_description(r.oid, 'pg_authid'), '^" DRILL_COMMENT
	"([0-9a-f-]{36})" DRILL_COMMENT_END "$') AS drill"
	" WHERE drill IS NOT NULL AND NOT r.rolcanlogin"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE"
	"  pg_catalog.starts_with(a.application_name, 'ripcord/' || pg_catalog.right(drill, 8) || '/')"
	"  OR (a.usesysid IS NOT NULL AND a.datid IS NOT NULL AND a.backend_type IS NULL))"
	" ORDER BY r.oid DESC";

bool roles_sweep(struct db *db, struct strv *gone, struct strv *left, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, dead_sql, DB_NO_ARGS, &r, err))
		return false;
	for (size_t i = 0; i < rows_count(r); i++) {
		const char *role = rows_get(r, i, 0);
		cleanup_free char *sql = mem_fmt("DROP ROLE %s", role);
		struct err why = ERR_INIT; /* of the database that the drill left, mostly */

		strv_add(db_run(db, sql, &why) ? gone : left, role);
	}
	return true;
}

/* Apart from the login, which was taken on purpose. */
static bool is_same_without_login(const struct fact *a, const struct fact *b)
{
	size_t i = 0, k = 0;

	for (;;) {
		i += i < a->n && strcmp(a->attributes[i].name, "login") == 0;
		k += k < b->n && strcmp(b->attributes[k].name, "login") == 0;
		if (i >= a->n || k >= b->n)
			return i >= a->n && k >= b->n;
		if (strcmp(a->attributes[i].name, b->attributes[k].name) != 0 ||
		    strcmp(a->attributes[i].value, b->attributes[k].value) != 0)
			return false;
		i++, k++;
	}
}

size_t roles_compare(const struct schema *before, const struct schema *now, const struct strv *created,
                     struct buf *out)
{
	size_t differ = schema_diff(before, now, SCHEMA_STRICT, out), excused = 0;

	for (size_t i = 0; i < created->n; i++) {
		const struct fact *was = find(before, "role", created->v[i]),
				  *is = find(now, "role", created->v[i]);
		excused +=
			was && is && strcmp(was->digest, is->digest) != 0 && is_same_without_login(was, is);
	}
	return differ - excused;
}
