#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/kinds/grants.h"
#include "migrations/schema/changes/kinds/not_null.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

static bool is(const struct object *o, const char *kind) { return strcmp(o->kind->name, kind) == 0; }

/* The last name with "_old" in it: what a type is called until its columns have the new one. */
static char *old_name(const char *name)
{
	const char *dot = words_find_last(name, "."), *last = dot ? dot + 1 : name;
	size_t len = strlen(last);

	return last[0] == '"' ? mem_fmt("%.*s_old\"", (int)len - 1, last) : mem_fmt("%s_old", last);
}

/* Columns have the type by their own statement; who inherits one, by the parent's. */
static void retype_columns(struct writer *w, const struct object *o)
{
	for (FOR_LINKS(i, &w->all->old_users, w->all, o)) {
		const struct object *c = w->all->old_users.v[i];
		const char *type = fact_value(c->old, "type");
		cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

		if (!is(c, "column") || !c->new || object_drops(c) || fact_value(c->old, "inherited"))
			continue;
		ddl_expand(w->all, &sql, c, c->old,
		           "ALTER TABLE {1} ALTER COLUMN {2} TYPE {type} USING {2}::text");
		buf_fmt(&sql, "%s::%s", text_ends(type, "[]") ? "[]" : "", type);
		ddl_add(w, c, "type", HAZARD_REWRITE, buf_text(&sql));
	}
}

/* Those that stay as they are: the others have statements of their own. */
static void keep_constraints(struct writer *w, const struct object *domain)
{
	for (size_t i = 0; i < w->all->n; i++) {
		const struct object *c = &w->all->v[i];

		if (is(c, "domain constraint") && c->part_of == domain && c->old && c->new &&
		    !object_drops(c))
			ddl_write(w, c, c->new, "create", 0, c->kind->create);
	}
}

/* No statement takes a value from an enum, or gives a domain another type: a new one takes its place. */
static bool replace_type(struct writer *w, const struct object *o, struct err *err)
{
	const char *noun = o->kind->noun, *dot = words_find_last(o->new->name, ".");
	cleanup_buf struct buf create = BUF_INIT(BUF_TEXT_MAX);
	cleanup_free char *last = old_name(o->new->name);
	cleanup_free char *rename = mem_fmt("ALTER %s %s RENAME TO %s", noun, o->new->name, last);
	cleanup_free char *drop =
		mem_fmt("DROP %s %.*s%s", noun, dot ? (int)(dot + 1 - o->new->name) : 0, o->new->name, last);

	ddl_add(w, o, "rename", 0, rename);
	ddl_expand(w->all, &create, o, o->new, o->kind->create);
	not_null_define(w->all, &create, o, false);
	ddl_add(w, o, "create", 0, buf_text(&create));
	if (!presets_undo(w, o, err))
		return false;
	keep_constraints(w, o);
	retype_columns(w, o);
	ddl_add(w, o, "drop old", 0, drop);
	return true;
}

static bool is_subsequence(const struct strv *part, const struct strv *whole)
{
	size_t found = 0;

	for (size_t i = 0; i < whole->n && found < part->n; i++)
		found += strcmp(whole->v[i], part->v[found]) == 0;
	return found == part->n;
}

static void read_labels(const struct object *o, struct strv *old, struct strv *new)
{
	const char *was = fact_value(o->old, "labels"), *is = fact_value(o->new, "labels");

	words_list(old, was ? was : "");
	words_list(new, is ? is : "");
}

static enum how decide_labels(const struct objects *all, struct object *o)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;

	(void)all;
	read_labels(o, &old, &new);
	o->disturbs = !is_subsequence(&old, &new);
	return HOW_IN_PLACE;
}

/* Whether a value that was there comes behind: then the place must be said. */
static bool has_old_behind(const struct strv *old, const struct strv *new, size_t i)
{
	for (; i < new->n; i++)
		if (strv_has(old, new->v[i]))
			return true;
	return false;
}

static void add_labels(struct writer *w, const struct object *o, const struct strv *old,
                       const struct strv *new)
{
	for (size_t i = 0; i < new->n; i++) {
		cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

		if (strv_has(old, new->v[i]))
			continue;
		buf_fmt(&sql, "ALTER TYPE %s ADD VALUE %s", o->new->name, new->v[i]);
		if (has_old_behind(old, new, i))
			buf_fmt(&sql, i > 0 ? " AFTER %s" : " BEFORE %s", i > 0 ? new->v[i - 1] : old->v[0]);
		ddl_add_value(w, o, new->v[i], buf_text(&sql));
	}
}

static bool change_labels(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;

	read_labels(o, &old, &new);
	if (o->disturbs)
		return replace_type(w, o, err);
	add_labels(w, o, &old, &new);
	return true;
}

/* A type that was replaced belongs to whoever did it. */
static bool keep_owner(struct writer *w, const struct object *o, struct err *err)
{
	const char *owner = fact_value(o->new, "owner");
	bool changes = value_differs(o, "owner");

	if (o->action == ACTION_ALTER && changes && !o->disturbs && !owners_undo(w, o, err))
		return false;
	if (strcmp(owner, w->all->role) != 0 || changes)
		ddl_write(w, o, o->new, "owner", 0, "ALTER TYPE {name} OWNER TO {owner\"}");
	return true;
}

static bool change_enum(struct writer *w, const struct object *o, struct err *err)
{
	if (value_differs(o, "labels") && !change_labels(w, o, err))
		return false;
	return (!o->disturbs && !value_differs(o, "owner")) || keep_owner(w, o, err);
}

static const struct property ENUM[] = {
	{ "labels", .decide = decide_labels, .together = true },
	{ "owner", .after = true, .together = true, .write = keep_owner },
	END_OF_PROPERTIES,
};

static const struct kind KIND_ENUM = {
	.name = "enum",
	.noun = "TYPE",
	.rank = 25,
	.create = "CREATE TYPE {name} AS ENUM ([{labels}])",
	.drop = "DROP TYPE {name}",
	.properties = ENUM,
	.write_together = change_enum,
};

static bool create_domain(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	(void)err;
	ddl_expand(w->all, &sql, o, o->new, o->kind->create);
	not_null_define(w->all, &sql, o, false);
	for (size_t i = 0; i < w->all->n; i++) {
		const struct object *c = &w->all->v[i];

		if (is(c, "domain constraint") && c->made_by == o && object_makes(c))
			ddl_expand(w->all, &sql, c, c->new, " CONSTRAINT {1} {definition}");
	}
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static enum how decide_base(const struct objects *all, struct object *o)
{
	(void)all;
	o->disturbs = true;
	return HOW_IN_PLACE;
}

static bool change_domain(struct writer *w, const struct object *o, struct err *err)
{
	if (o->disturbs)
		return replace_type(w, o, err) && keep_owner(w, o, err);
	if (value_differs(o, "owner") && !keep_owner(w, o, err))
		return false;
	if (value_differs(o, "default"))
		ddl_write(w, o, o->new, "default", 0,
		          fact_value(o->new, "default") ? "ALTER DOMAIN {name} SET DEFAULT {default}"
		                                        : "ALTER DOMAIN {name} DROP DEFAULT");
	if (value_differs(o, "not null"))
		not_null_change(w, o);
	return true;
}

static const struct property DOMAIN[] = {
	{ "type", .decide = decide_base, .together = true },
	{ "collation", .decide = decide_base, .together = true },
	{ "default", .together = true },
	{ "not null", .together = true },
	{ "owner", .after = true, .together = true, .write = keep_owner },
	END_OF_PROPERTIES,
};

static const struct kind KIND_DOMAIN = {
	.name = "domain",
	.noun = "DOMAIN",
	.rank = 26,
	.create = "CREATE DOMAIN {name} AS {type}[ COLLATE {collation}][ DEFAULT {default}]",
	.drop = "DROP DOMAIN {name}",
	.properties = DOMAIN,
	.write_create = create_domain,
	.write_together = change_domain,
};

static enum how decide_definition(const struct objects *all, struct object *o)
{
	static const char NOT_VALID[] = " NOT VALID";
	const char *was = fact_value(o->old, "definition"), *is = fact_value(o->new, "definition");

	(void)all;
	return text_starts(was, is) && strcmp(was + strlen(is), NOT_VALID) == 0 ? HOW_FOLLOWS : HOW_REBUILD;
}

static enum how decide_validity(const struct objects *all, struct object *o)
{
	(void)all;
	return fact_value(o->new, "not valid") ? HOW_REBUILD : HOW_IN_PLACE;
}

static const struct property DOMAIN_CONSTRAINT[] = {
	{ "type", .how = HOW_REBUILD },
	{ "definition", .decide = decide_definition },
	{ "not valid", .decide = decide_validity, .unset = "ALTER DOMAIN {2} VALIDATE CONSTRAINT {1}" },
	{ "inherited", .how = HOW_FOLLOWS },
	END_OF_PROPERTIES,
};

static const struct kind KIND_DOMAIN_CONSTRAINT = {
	.name = "domain constraint",
	.rank = 37,
	.word = " on ",
	.create = "ALTER DOMAIN {2} ADD CONSTRAINT {1} {definition}",
	.drop = "ALTER DOMAIN {2} DROP CONSTRAINT {1}",
	.properties = DOMAIN_CONSTRAINT,
};

const struct kind *const KIND_TYPES[] = { &KIND_ENUM, &KIND_DOMAIN, &KIND_DOMAIN_CONSTRAINT, NULL };
