/* Statements that act beyond the database that they run in, so that they are not for a copy where a revision is tried. */
#include "migrations/parser.h"
#include "migrations/script.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "migrations/lexer.h"

#include <string.h>

/* The nodes of PostgreSQL 15's parse trees whose commands write shared catalogs, files, or another server. */
static const char *const shared_nodes[] = {
	"CreateRoleStmt",
	"AlterRoleStmt",
	"AlterRoleSetStmt",
	"DropRoleStmt",
	"GrantRoleStmt",
	"DropOwnedStmt", /* also takes what was granted on databases and tablespaces */
	"ReassignOwnedStmt",
	"CreatedbStmt",
	"AlterDatabaseStmt",
	"AlterDatabaseSetStmt",
	"AlterDatabaseRefreshCollStmt",
	"DropdbStmt",
	"CreateTableSpaceStmt",
	"DropTableSpaceStmt",
	"AlterTableSpaceOptionsStmt",
	"AlterSystemStmt",
	"CreateSubscriptionStmt",
	"AlterSubscriptionStmt",
	"DropSubscriptionStmt",
};

/* Commands for objects of many kinds, and where their node says which kind. */
static const struct {
	const char *node, *field;
} by_kind[] = {
	{ "CommentStmt", "objtype" },   { "SecLabelStmt", "objtype" },      { "GrantStmt", "objtype" },
	{ "RenameStmt", "renameType" }, { "AlterOwnerStmt", "objectType" },
};
static const char *const shared_kinds[] = { "OBJECT_DATABASE", "OBJECT_ROLE", "OBJECT_TABLESPACE",
	                                    "OBJECT_PARAMETER_ACL", "OBJECT_SUBSCRIPTION" };

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; word && i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static bool is_shared(const char *node, const json_t *body)
{
	if (is_one_of(node, shared_nodes, sizeof(shared_nodes) / sizeof(shared_nodes[0])))
		return true;
	for (size_t i = 0; i < sizeof(by_kind) / sizeof(by_kind[0]); i++)
		if (strcmp(node, by_kind[i].node) == 0)
			return is_one_of(json_string_value(json_object_get(body, by_kind[i].field)),
			                 shared_kinds, sizeof(shared_kinds) / sizeof(shared_kinds[0]));
	/* A file or program of the server's machine; COPY FROM a file only reads. */
	return strcmp(node, "CopyStmt") == 0 &&
	       (json_is_true(json_object_get(body, "is_program")) ||
	        (json_object_get(body, "filename") && !json_is_true(json_object_get(body, "is_from"))));
}

/* What the parser does not know passes: exec_reach_question asks the server again before COMMIT. */
static bool reaches_out(const char *sql)
{
	cleanup_json json_t *tree = NULL;
	struct err unknown = ERR_INIT;
	const char *node;
	json_t *body;

	if (!parser_parse(sql, &tree, &unknown))
		return false;
	const json_t *statement = json_array_get(json_object_get(tree, "stmts"), 0);
	json_object_foreach(json_object_get(statement, "stmt"), node,
	                    body) if (is_shared(node, body)) return true;
	return false;
}

static bool check_part(const struct revision *rev, const struct part *part, struct err *err)
{
	struct lexer lexer = { .text = part->sql };
	struct lexed s;

	while (lex_next(&lexer, &s) == LEX_STATEMENT) {
		cleanup_free char *sql = mem_strndup(part->sql + s.start, s.end - s.start);
		if (s.is_empty || !reaches_out(sql))
			continue;
		err_set(err, ERR_REFUSED,
		        "revision %s changes what does not belong to its database alone: %.*s", rev->id,
		        (int)strcspn(sql, "\n;"), sql);
		err_hint(err,
		         "roles, databases and the like belong to the whole cluster, the live database's "
		         "too: such a revision is not tried on a copy");
		return err_at_revision(err, rev, line_of(part->sql, s.start, part->line));
	}
	return true;
}

static bool check_section(const struct revision *rev, const struct section *s, struct err *err)
{
	cleanup_script struct script script = { .n = 0 };

	if (!s->present)
		return true;
	if (!script_make(rev, s, &script, err))
		return false;
	for (size_t i = 0; i < script.n; i++)
		if (!check_part(rev, &script.parts[i], err))
			return false;
	return true;
}

bool exec_check_reach(const struct revision *rev, struct err *err)
{
	return check_section(rev, &rev->upgrade, err) && check_section(rev, &rev->downgrade, err);
}

/*
 * The commands keep their lock on the catalog to the end; by OID: pg_authid, pg_auth_members, pg_database, pg_tablespace,
 * pg_shdescription, pg_db_role_setting, pg_shseclabel, pg_replication_origin, pg_subscription, pg_parameter_acl
 * (src/include/catalog of PostgreSQL 15 to 18).  Rows of a foreign table are locked as those of one's own, and the other
 * server commits with us.
 */
const char exec_reach_question[] =
	"SELECT l.relation::pg_catalog.regclass::pg_catalog.text, 'the whole cluster' FROM "
	"pg_catalog.pg_locks l"
	" WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.database = 0"
	" AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')"
	" AND l.relation IN (1260, 1261, 1262, 1213, 2396, 2964, 3592, 6000, 6100, 6243)"
	" UNION ALL "
	"SELECT c.oid::pg_catalog.regclass::pg_catalog.text, 'another server' FROM pg_catalog.pg_locks l"
	" JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()"
	" JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind = 'f'"
	" WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.mode = "
	"'RowExclusiveLock'";
