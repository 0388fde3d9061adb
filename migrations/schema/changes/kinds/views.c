#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/kinds/satellites.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const struct object *column_at(const struct objects *all, const struct object *view, bool new,
                                      const char *at)
{
	const struct links *links = new ? &all->new_users : &all->old_users;

	for (FOR_LINKS(i, links, all, view)) {
		const struct object *o = links->v[i];
		const struct fact *f = new ? o->new : o->old;
		const char *position = f ? fact_value(f, "position") : NULL;

		if (o->part_of == view && position && strcmp(position, at) == 0)
			return o;
	}
	return NULL;
}

static bool same(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

/* CREATE OR REPLACE keeps the columns that are there, and adds others behind them. */
static enum how decide_query(const struct objects *all, struct object *o)
{
	for (FOR_LINKS(i, &all->old_users, all, o)) {
		const struct object *c = all->old_users.v[i], *now;
		const char *at = fact_value(c->old, "position");

		if (c->part_of != o || !at)
			continue;
		now = column_at(all, o, true, at);
		if (!now || strcmp(now->new->name, c->old->name) != 0 ||
		    !same(fact_value(now->new, "type"), fact_value(c->old, "type")) ||
		    !same(fact_value(now->new, "collation"), fact_value(c->old, "collation")))
			return HOW_REBUILD;
	}
	return HOW_IN_PLACE;
}

/* pg_get_viewdef() begins with a blank and ends with a semicolon. */
static void add_query(struct buf *out, const struct fact *f)
{
	const char *query = fact_value(f, "definition");
	size_t len;

	query += strspn(query, " ");
	len = strlen(query);
	buf_fmt(out, " AS\n%.*s", (int)(len > 0 && query[len - 1] == ';' ? len - 1 : len), query);
}

static bool write_view(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	(void)err;
	ddl_expand(w->all, &sql, o, o->new,
	           o->action == ACTION_ALTER ? "CREATE OR REPLACE VIEW {name}[ WITH ({options})]"
	                                     : "CREATE VIEW {name}[ WITH ({options})]");
	add_query(&sql, o->new);
	ddl_add(w, o, o->action == ACTION_ALTER ? "replace" : "create", 0, buf_text(&sql));
	return true;
}

/* CREATE OR REPLACE has them. */
static bool change_view_options(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_free char *what = mem_fmt("ALTER VIEW %s", o->new->name);

	(void)err;
	if (!value_differs(o, "definition"))
		ddl_options(w, o, "options", what, "");
	return true;
}

static const struct property VIEW[] = {
	OWNED_BY("VIEW"),
	{ "definition", .decide = decide_query, .write = write_view },
	{ "options", .write = change_view_options },
	END_OF_PROPERTIES,
};

static const struct kind KIND_VIEW = {
	.name = "view",
	.noun = "VIEW",
	.rank = 70,
	.drop = "DROP VIEW {name}",
	.properties = VIEW,
	.write_create = write_view,
};

static bool create_materialized(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	(void)err;
	ddl_expand(w->all, &sql, o, o->new,
	           "CREATE MATERIALIZED VIEW {name}[ USING {access method\"}][ WITH ({options})]"
	           "[ TABLESPACE {tablespace\"}]");
	add_query(&sql, o->new);
	buf_str(&sql, fact_value(o->new, "unpopulated") ? "\nWITH NO DATA" : "");
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static bool change_options(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_free char *what = mem_fmt("ALTER MATERIALIZED VIEW %s", o->new->name);

	(void)err;
	ddl_options(w, o, "options", what, "");
	return true;
}

static bool change_toast_options(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_free char *what = mem_fmt("ALTER MATERIALIZED VIEW %s", o->new->name);

	(void)err;
	ddl_options(w, o, "toast options", what, "toast.");
	return true;
}

#define ALTER_MATERIALIZED "ALTER MATERIALIZED VIEW {name} "

static const struct property MATERIALIZED[] = {
	OWNED_BY("MATERIALIZED VIEW"),
	{ "definition", .how = HOW_REBUILD },
	{ "unpopulated", .set = "REFRESH MATERIALIZED VIEW {name} WITH NO DATA",
	  .unset = "REFRESH MATERIALIZED VIEW {name}", .hazards = HAZARD_REWRITE },
	{ "access method", .set = ALTER_MATERIALIZED "SET ACCESS METHOD {access method\"}",
	  .unset = ALTER_MATERIALIZED "SET ACCESS METHOD heap", .hazards = HAZARD_REWRITE },
	{ "tablespace", .set = ALTER_MATERIALIZED "SET TABLESPACE {tablespace\"}",
	  .unset = ALTER_MATERIALIZED "SET TABLESPACE pg_default", .hazards = HAZARD_REWRITE },
	{ "options", .write = change_options },
	{ "toast options", .after = true, .write = change_toast_options },
	{ "clustered on", .how = HOW_FOLLOWS },
	{ "replica identity", .how = HOW_REFUSED, .after = true },
	END_OF_PROPERTIES,
};

/* What it holds is computed again. */
static const struct kind KIND_MATERIALIZED = {
	.name = "materialized view",
	.noun = "MATERIALIZED VIEW",
	.rank = 72,
	.drop = "DROP MATERIALIZED VIEW {name}",
	.properties = MATERIALIZED,
	.write_create = create_materialized,
};

/* "CREATE RULE ... ;" and "CREATE TRIGGER ...", as the server writes them; REPLACE where there is one. */
static bool write_definition(struct writer *w, const struct object *o, struct err *err)
{
	const char *definition = fact_value(o->new, "definition");
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	size_t len;

	if (!definition)
		return true;
	len = strlen(definition);
	buf_str(&sql, o->action == ACTION_ALTER ? "CREATE OR REPLACE" : "CREATE");
	buf_fmt(&sql, "%.*s", (int)(len - strlen("CREATE") - (definition[len - 1] == ';')),
	        definition + strlen("CREATE"));
	ddl_add(w, o, o->action == ACTION_ALTER ? "replace" : "create", 0, buf_text(&sql));
	return o->action != ACTION_ALTER || dependencies_keep(w, o, err);
}

/* Whether a partition's copy of it has a state of its own, before or after. */
static bool has_clone(const struct links *links, const struct objects *all, const struct object *o)
{
	for (FOR_LINKS(i, links, all, o))
		if (fact_value(object_fact(links->v[i]), "cloned"))
			return true;
	return false;
}

/* A constraint trigger has no REPLACE, nor has any before 14; and it makes all copies alike. */
static enum how decide_trigger(const struct objects *all, struct object *o)
{
	return words_find(fact_value(o->old, "definition"), "CREATE CONSTRAINT") ||
	                       words_find(fact_value(o->new, "definition"), "CREATE CONSTRAINT") ||
	                       has_clone(&all->old_users, all, o) || has_clone(&all->new_users, all, o)
	               ? HOW_REBUILD
	               : HOW_IN_PLACE;
}

/* Of a partitioned table's trigger its copies in the partitions have the state, too. */
static bool change_enabled(struct writer *w, const struct object *o, const char *noun)
{
	const char *is = fact_value(o->new, "enabled");
	cleanup_free char *pattern =
		mem_fmt("ALTER TABLE %s %s %s {1}", fact_value(o->new, "cloned") ? "{table}" : "{2}",
	                !is || strcmp(is, "origin") == 0 ? "ENABLE"
	                : strcmp(is, "disabled") == 0    ? "DISABLE"
	                : strcmp(is, "replica") == 0     ? "ENABLE REPLICA"
	                                                 : "ENABLE ALWAYS",
	                noun);

	ddl_write(w, o, o->new, is ? is : "enable", 0, pattern);
	return true;
}

static bool change_rule_enabled(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	return change_enabled(w, o, "RULE");
}

static bool change_trigger_enabled(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	return change_enabled(w, o, "TRIGGER");
}

/* REPLACE forgets whether it is enabled. */
static bool write_trigger(struct writer *w, const struct object *o, struct err *err)
{
	if (!write_definition(w, o, err))
		return false;
	return o->action != ACTION_ALTER || !fact_value(o->new, "enabled") || value_differs(o, "enabled") ||
	       change_trigger_enabled(w, o, err);
}

static const struct property RULE[] = {
	{ "definition", .write = write_definition },
	{ "enabled", .after = true, .write = change_rule_enabled },
	END_OF_PROPERTIES,
};

static const struct kind KIND_RULE = {
	.name = "rule",
	.noun = "RULE",
	.rank = 75,
	.word = " on ",
	.drop = "DROP RULE {1} ON {2}",
	.properties = RULE,
	.write_create = write_definition,
};

/* A partition's copy of a trigger, which is a fact when its state is its own, comes and goes with the parent's. */
static bool drop_trigger(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	ddl_write(w, o, o->old, fact_value(o->old, "cloned") ? "enable" : "drop", 0,
	          fact_value(o->old, "cloned") ? "ALTER TABLE ONLY {2} ENABLE TRIGGER {1}"
	                                       : "DROP TRIGGER {1} ON {2}");
	return true;
}

static const struct property TRIGGER[] = {
	{ "definition", .decide = decide_trigger, .write = write_trigger },
	{ "enabled", .after = true, .write = change_trigger_enabled },
	{ "cloned", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_TRIGGER = {
	.name = "trigger",
	.noun = "TRIGGER",
	.rank = 76,
	.word = " on ",
	.properties = TRIGGER,
	.write_create = write_definition,
	.write_drop = drop_trigger,
};

static bool create_policy(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	const char *command = fact_value(o->new, "command");

	(void)err;
	ddl_expand(w->all, &sql, o, o->new, "CREATE POLICY {1} ON {2}[ AS RESTRICTIVE{?restrictive}]");
	if (strcmp(command, "all") != 0) {
		buf_str(&sql, " FOR ");
		for (; *command; command++)
			buf_char(&sql, (char)(*command - 'a' + 'A'));
	}
	if (strcmp(fact_value(o->new, "roles"), "PUBLIC") != 0)
		ddl_expand(w->all, &sql, o, o->new, " TO {roles}");
	ddl_expand(w->all, &sql, o, o->new, "[ USING ({using})][ WITH CHECK ({check})]");
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

/* An expression cannot be taken away in place. */
static enum how decide_using(const struct objects *all, struct object *o)
{
	(void)all;
	return fact_value(o->new, "using") ? HOW_IN_PLACE : HOW_REBUILD;
}

static enum how decide_check(const struct objects *all, struct object *o)
{
	(void)all;
	return fact_value(o->new, "check") ? HOW_IN_PLACE : HOW_REBUILD;
}

static const struct property POLICY[] = {
	{ "restrictive", .how = HOW_REBUILD },
	{ "command", .how = HOW_REBUILD },
	{ "roles", .set = "ALTER POLICY {1} ON {2} TO {roles}" },
	{ "using", .decide = decide_using, .set = "ALTER POLICY {1} ON {2} USING ({using})" },
	{ "check", .decide = decide_check, .set = "ALTER POLICY {1} ON {2} WITH CHECK ({check})" },
	END_OF_PROPERTIES,
};

static const struct kind KIND_POLICY = {
	.name = "policy",
	.noun = "POLICY",
	.rank = 77,
	.word = " on ",
	.drop = "DROP POLICY {1} ON {2}",
	.properties = POLICY,
	.write_create = create_policy,
};

static const struct property STATISTICS[] = {
	OWNED_BY("STATISTICS"),
	{ "definition", .how = HOW_REBUILD },
	{ "target", .after = true, .forgotten = true,
	  .set = "ALTER STATISTICS {name} SET STATISTICS {target}",
	  .unset = "ALTER STATISTICS {name} SET STATISTICS -1" },
	END_OF_PROPERTIES,
};

static const struct kind KIND_STATISTICS = {
	.name = "statistics",
	.noun = "STATISTICS",
	.rank = 58,
	.create = "{definition}",
	.drop = "DROP STATISTICS {name}",
	.properties = STATISTICS,
};

const struct kind *const KIND_VIEWS[] = { &KIND_VIEW,   &KIND_MATERIALIZED, &KIND_RULE, &KIND_TRIGGER,
	                                  &KIND_POLICY, &KIND_STATISTICS,   NULL };
