#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

static bool is(const struct object *o, const char *kind) { return strcmp(o->kind->name, kind) == 0; }

/* "a integer": the attribute's name ends at the first blank outside of quotes. */
static size_t name_length(const char *attribute) { return (size_t)(words_find(attribute, " ") - attribute); }

static const char *same_name(const struct strv *list, const char *attribute)
{
	size_t len = name_length(attribute) + 1;

	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->v[i], attribute, len) == 0)
			return list->v[i];
	return NULL;
}

static void read_attributes(const struct object *o, struct strv *old, struct strv *new)
{
	const char *was = fact_value(o->old, "attributes"), *is = fact_value(o->new, "attributes");

	words_list(old, was ? was : "");
	words_list(new, is ? is : "");
}

/* Those that stay must be in the same order, and in front of those that come. */
static bool keeps_order(const struct strv *old, const struct strv *new)
{
	size_t at = 0;

	for (size_t i = 0; i < old->n; i++) {
		if (!same_name(new, old->v[i]))
			continue;
		if (at == new->n || !same_name(old, new->v[at]) ||
		    strncmp(old->v[i], new->v[at], name_length(old->v[i]) + 1) != 0)
			return false;
		at++;
	}
	return true;
}

static bool has_columns(const struct objects *all, const struct object *type)
{
	for (FOR_LINKS(i, &all->old_users, all, type))
		if (is(all->old_users.v[i], "column") && all->old_users.v[i]->new)
			return true;
	return false;
}

static enum how decide_attributes(const struct objects *all, struct object *o)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;
	bool retypes = false;

	read_attributes(o, &old, &new);
	if (!keeps_order(&old, &new))
		return HOW_REBUILD;
	for (size_t i = 0; i < old.n; i++) {
		const char *now = same_name(&new, old.v[i]);

		retypes = retypes || (now && strcmp(now, old.v[i]) != 0);
		o->disturbs = o->disturbs || !now || strcmp(now, old.v[i]) != 0;
	}
	/* The server refuses another type of an attribute while a column has the type. */
	return retypes && has_columns(all, o) ? HOW_REFUSED : HOW_IN_PLACE;
}

static bool has_typed_table(const struct objects *all, const struct object *type)
{
	for (FOR_LINKS(i, &all->old_users, all, type))
		if (is(all->old_users.v[i], "table"))
			return true;
	return false;
}

static void write_attribute(struct writer *w, const struct object *o, const char *attribute, const char *verb,
                            unsigned hazards)
{
	size_t len = name_length(attribute);
	bool drops = strcmp(verb, "DROP") == 0, alters = strcmp(verb, "ALTER") == 0;
	cleanup_free char *sql =
		mem_fmt("ALTER TYPE %s %s ATTRIBUTE %.*s%s%s%s", o->new->name, verb, (int)len, attribute,
	                alters ? " TYPE" : "", drops ? "" : attribute + len,
	                has_typed_table(w->all, o) ? " CASCADE" : "");

	ddl_add(w, o, "attribute", hazards, sql);
}

static bool change_attributes(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;

	(void)err;
	read_attributes(o, &old, &new);
	for (size_t i = 0; i < old.n; i++)
		if (!same_name(&new, old.v[i]))
			write_attribute(w, o, old.v[i], "DROP", HAZARD_DATA_LOSS);
	for (size_t i = 0; i < new.n; i++) {
		const char *was = same_name(&old, new.v[i]);

		if (!was || strcmp(was, new.v[i]) != 0)
			write_attribute(w, o, new.v[i], was ? "ALTER" : "ADD",
			                was && has_typed_table(w->all, o) ? HAZARD_REWRITE : 0);
	}
	return true;
}

static const struct property COMPOSITE[] = {
	OWNED_BY("TYPE"),
	{ "attributes", .decide = decide_attributes, .write = change_attributes },
	END_OF_PROPERTIES,
};

static const struct kind KIND_COMPOSITE = {
	.name = "composite type",
	.noun = "TYPE",
	.rank = 27,
	.create = "CREATE TYPE {name} AS ([{attributes}])",
	.drop = "DROP TYPE {name}",
	.properties = COMPOSITE,
};

const struct kind *const KIND_COMPOSITES[] = { &KIND_COMPOSITE, NULL };
