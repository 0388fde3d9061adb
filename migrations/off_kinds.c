/* Which statements PostgreSQL refuses inside a transaction block, and how each is looked for afterwards. */
#include "migrations/off.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "migrations/parser.h"

#include <string.h>

const char *json_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* ------------------------------------------------------------------ which of a node's statements */

static bool is_concurrent(const json_t *body) { return json_is_true(json_object_get(body, "concurrent")); }

static bool has_option(const json_t *body, const char *name)
{
	const json_t *option;
	size_t i;

	json_array_foreach(json_object_get(body, "params"), i, option)
	{
		const json_t *element = json_object_get(option, "DefElem");
		if (strcmp(json_text(element, "defname"), name) == 0)
			return true;
	}
	return false;
}

/* Those of a partitioned table or index the server refuses itself, and they are sent again without a block. */
static bool is_bare_reindex(const json_t *body)
{
	static const char *const whole[] = { "REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_SYSTEM",
		                             "REINDEX_OBJECT_DATABASE" };

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (strcmp(json_text(body, "kind"), whole[i]) == 0)
			return true;
	return has_option(body, "concurrently");
}

static bool is_concurrent_detach(const json_t *body)
{
	const json_t *cmd =
		json_object_get(json_array_get(json_object_get(body, "cmds"), 0), "AlterTableCmd");

	return strcmp(json_text(cmd, "subtype"), "AT_DetachPartition") == 0 &&
	       is_concurrent(json_object_get(json_object_get(cmd, "def"), "PartitionCmd"));
}

static bool is_vacuum(const json_t *body) { return json_is_true(json_object_get(body, "is_vacuumcmd")); }

static bool is_cluster_of_all(const json_t *body) { return !json_object_get(body, "relation"); }

/* ------------------------------------------------------------------ the table */

/* Source: PreventInTransactionBlock() in the utility commands of PostgreSQL 15 to 18. */
static const struct off_kind kinds[] = {
	{ "IndexStmt", "create-index", is_concurrent, .bare = true, .note = note_index, .look = look_index },
	{ "DropStmt", "drop-index", is_concurrent, .bare = true, .note = note_there, .look = look_there },
	{ "ReindexStmt", "reindex", is_bare_reindex, .bare = true, .note = note_reindex,
	  .look = look_reindex },
	{ "AlterTableStmt", "detach", is_concurrent_detach, .bare = true, .note = note_detach,
	  .look = look_detach },
	{ "VacuumStmt", "vacuum", is_vacuum, .bare = true, .look = look_again },
	{ "ClusterStmt", "cluster", is_cluster_of_all, .bare = true, .look = look_again },
	{ "AlterSystemStmt", "alter-system", .bare = true, .look = look_again },
	{ "CreatedbStmt", "create-database", .bare = true, .note = note_there, .look = look_there },
	{ "DropdbStmt", "drop-database", .bare = true, .note = note_there, .look = look_there },
	{ "CreateTableSpaceStmt", "create-tablespace", .bare = true, .note = note_there, .look = look_there },
	{ "DropTableSpaceStmt", "drop-tablespace", .bare = true, .note = note_there, .look = look_there },
	{ "VariableSetStmt", "set", .session = true, .look = look_again },
	{ "PrepareStmt", "prepare", .session = true, .look = look_again },
	{ "LoadStmt", "load", .session = true, .look = look_again },
	{ "DiscardStmt", "discard", .session = true, .look = look_again },
};

/* DO, CALL and whatever else turns out to want no transaction block: what it did nobody can tell. */
static const struct off_kind other = { .name = "statement" };

static const struct off_kind *kind_of(const char *node, const json_t *body)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].node, node) == 0 && (!kinds[i].matches || kinds[i].matches(body)))
			return &kinds[i];
	return &other;
}

void classify(const char *sql, struct classified *out)
{
	struct err unknown = ERR_INIT; /* newer than the parser: the server will say */
	const char *node;
	json_t *body;

	*out = (struct classified){ .kind = &other };
	if (!parser_parse(sql, &out->tree, &unknown))
		return;
	const json_t *first = json_array_get(json_object_get(out->tree, "stmts"), 0);
	json_object_foreach(json_object_get(first, "stmt"), node, body)
	{
		out->body = body;
		out->kind = kind_of(node, body);
		out->bare = out->kind->bare;
	}
}

void classified_clear(struct classified *c)
{
	json_decref(c->tree);
	*c = (struct classified){ .kind = &other };
}

/* ------------------------------------------------------------------ what else is asked of a statement */

static bool is_temporary(const json_t *range) { return strcmp(json_text(range, "relpersistence"), "t") == 0; }

bool makes_temporary(const struct classified *c)
{
	const json_t *body = c->body;

	return is_temporary(json_object_get(json_object_get(body, "into"), "rel")) ||
	       is_temporary(json_object_get(json_object_get(body, "intoClause"), "rel")) ||
	       (json_object_get(body, "oncommit") && is_temporary(json_object_get(body, "relation")));
}

bool changes_rows(const struct classified *c)
{
	static const char *const nodes[] = { "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt" };
	const json_t *first = json_array_get(json_object_get(c->tree, "stmts"), 0);

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (json_object_get(json_object_get(first, "stmt"), nodes[i]))
			return true;
	return !c->tree;
}

char *range_sql(const json_t *range)
{
	const char *schema = json_text(range, "schemaname"), *name = json_text(range, "relname");

	return *schema ? sql_fmt("%I.%I", schema, name) : sql_fmt("%I", name);
}

char *names_sql(const json_t *list)
{
	cleanup_buf struct buf out = BUF_INIT(BUF_TEXT_MAX);
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(list, "List"), "items"), i, item)
	{
		buf_str(&out, i ? "." : "");
		sql_ident(&out, json_text(json_object_get(item, "String"), "sval"));
	}
	return buf_take(&out);
}
