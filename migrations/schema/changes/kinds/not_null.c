#include "migrations/schema/changes/kinds/not_null.h"

#include "migrations/schema/changes/heirs.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

static bool is_domain(const struct object *o) { return strcmp(object_fact(o)->kind, "domain") == 0; }

const struct object *not_null_of(const struct objects *all, const struct object *o)
{
	return objects_find(all, is_domain(o) ? "domain not null" : "not null", object_fact(o)->name);
}

struct object *not_null_above(const struct objects *all, const struct object *o)
{
	const struct object *column = o->part_of, *table = column->part_of;
	const char *parents = table ? fact_value(table->new, "parents") : NULL;
	cleanup_strv struct strv names = STRV_INIT;

	words_list(&names, parents && fact_value(object_fact(o), "inherited") ? parents : "");
	for (size_t i = 0; i < names.n; i++) {
		const struct object *above = column->new ? heir_column_above(all, column, names.v[i]) : NULL;

		if (above && heir_is_tied(all, table, names.v[i]))
			return objects_find(all, "not null", above->new->name);
	}
	return NULL;
}

/* How the server calls it on that side. */
static const char *real_name(const struct objects *all, const struct object *o, bool new)
{
	const struct object *name = objects_find(all, "not null name", object_fact(o)->name);

	return fact_value(new ? name->new : name->old, "constraint");
}

void not_null_define(const struct objects *all, struct buf *out, const struct object *o, bool implied)
{
	const struct object *c = not_null_of(all, o);
	bool has_fact = c && c->new;

	if (!fact_value(o->new, "not null") || (implied && !(has_fact && fact_value(c->new, "constraint"))))
		return;
	if (!has_fact)
		buf_str(out, " NOT NULL");
	/* A partition that is made by PARTITION OF has its parent's, and a rename of the parent's looks for it. */
	else if (fact_value(c->new, "inherited") && c->made_by == o)
		buf_fmt(out, " CONSTRAINT %s NOT NULL", real_name(all, o, true));
	else if (c->made_by == o || is_domain(o))
		ddl_expand(all, out, c, c->new,
		           "[ CONSTRAINT {constraint}] NOT NULL[ NO INHERIT{?no inherit}]");
}

bool not_null_item(const struct objects *all, struct buf *out, const struct object *column)
{
	const struct object *c = not_null_of(all, column);

	if (!c || !c->new || fact_value(c->new, "inherited") || fact_value(c->new, "not valid"))
		return false;
	ddl_expand(all, out, c, c->new, "[CONSTRAINT {constraint} ]NOT NULL {2}[ NO INHERIT{?no inherit}]");
	return true;
}

/* A statement without a name where the server's will do.  What a partition is to have by its parent has that name. */
static void add(struct writer *w, const struct object *c)
{
	const char *name = fact_value(c->new, "inherited") ? real_name(w->all, c, true)
	                                                   : fact_value(c->new, "constraint");
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!name && !fact_value(c->new, "not valid") && !fact_value(c->new, "no inherit")) {
		ddl_write(w, c->part_of, c->new, "not null", 0,
		          "ALTER TABLE {1} ALTER COLUMN {2} SET NOT NULL");
		return;
	}
	ddl_expand(w->all, &sql, c, c->new, "ALTER TABLE {1} ADD ");
	if (name)
		buf_fmt(&sql, "CONSTRAINT %s ", name);
	ddl_expand(w->all, &sql, c, c->new, "NOT NULL {2}[ NO INHERIT{?no inherit}][ NOT VALID{?not valid}]");
	ddl_add(w, c->part_of, "not null", 0, buf_text(&sql));
}

static void change_domain(struct writer *w, const struct object *o, const struct object *c)
{
	const char *name = c ? fact_value(c->new, "constraint") : NULL;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	buf_fmt(&sql, "ALTER DOMAIN %s ", o->new->name);
	if (!fact_value(o->new, "not null"))
		buf_str(&sql, "DROP NOT NULL");
	else if (name)
		buf_fmt(&sql, "ADD CONSTRAINT %s NOT NULL", name);
	else
		buf_str(&sql, "SET NOT NULL");
	ddl_add(w, o, "not null", 0, buf_text(&sql));
}

/* Before 18: each table has its own, but for partitions. */
static void change_without(struct writer *w, const struct object *o)
{
	bool whole = fact_value(o->part_of->new, "partition key");
	cleanup_free char *sql =
		mem_fmt("ALTER TABLE %s ALTER COLUMN {2} %s NOT NULL", whole ? "{1}" : "{table}",
	                fact_value(o->new, "not null") ? "SET" : "DROP");

	ddl_write(w, o, o->new, "not null", 0, sql);
}

void not_null_change(struct writer *w, const struct object *o)
{
	const struct object *c = not_null_of(w->all, o);

	if (is_domain(o))
		change_domain(w, o, c);
	else if (c && c->new)
		add(w, c);
	else if (c)
		/* ONLY would leave it to those that inherit. */
		ddl_write(w, o, o->new, "not null", 0, "ALTER TABLE {1} ALTER COLUMN {2} DROP NOT NULL");
	else
		change_without(w, o);
}

/* ------------------------------------------------------------------ what changes it */

static bool create(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	add(w, o);
	return true;
}

/* An heir's name is its parent's until it has the constraint by itself; what was a partition keeps that name. */
static enum how decide_name(const struct objects *all, struct object *o)
{
	(void)all;
	return fact_value(o->old, "inherited") || fact_value(o->new, "inherited") ? HOW_FOLLOWS
	                                                                          : HOW_IN_PLACE;
}

static void rename_to(struct writer *w, const struct object *o)
{
	const char *was = real_name(w->all, o, false), *is = real_name(w->all, o, true);
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (strcmp(was, is) == 0)
		return;
	if (is_domain(o->part_of))
		buf_fmt(&sql, "ALTER DOMAIN %s", o->new->name);
	else
		ddl_expand(w->all, &sql, o, o->new, "ALTER TABLE {1}");
	buf_fmt(&sql, " RENAME CONSTRAINT %s TO %s", was, is);
	ddl_add(w, o, "rename", 0, buf_text(&sql));
}

static bool rename_it(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	if (!fact_value(o->old, "inherited") && !fact_value(o->new, "inherited"))
		rename_to(w, o);
	return true;
}

/* By then it has its new name. */
static bool alter_constraint(struct writer *w, const struct object *o, const char *before, const char *behind)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	ddl_expand(w->all, &sql, o, o->new, "ALTER TABLE {1} ");
	buf_fmt(&sql, "%s CONSTRAINT %s%s", before,
	        real_name(w->all, o, value_differs(o, "constraint") && !fact_value(o->new, "inherited")),
	        behind);
	ddl_add(w, o, "alter", 0, buf_text(&sql));
	return true;
}

static enum how decide_validity(const struct objects *all, struct object *o)
{
	(void)all;
	return fact_value(o->new, "not valid") ? HOW_REBUILD : HOW_IN_PLACE;
}

static bool validate(struct writer *w, const struct object *o, struct err *err)
{
	const struct object *above = not_null_above(w->all, o);

	(void)err;
	if (above && above->old && value_differs(above, "not valid"))
		return true;
	return alter_constraint(w, o, "VALIDATE", "");
}

static bool change_inherit(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	return alter_constraint(w, o, "ALTER", fact_value(o->new, "no inherit") ? " NO INHERIT" : " INHERIT");
}

static bool is_partition(const struct fact *table) { return fact_value(table, "partition bound"); }

/* Of a partition it is said by ATTACH.  Of another table no statement takes back that it has it by itself as well. */
static enum how decide_inherited(const struct objects *all, struct object *o)
{
	(void)all;
	return fact_value(o->new, "inherited") && !is_partition(o->part_of->part_of->new) ? HOW_REFUSED
	                                                                                  : HOW_IN_PLACE;
}

static bool change_inherited(struct writer *w, const struct object *o, struct err *err)
{
	const struct object *table = o->part_of->part_of;

	(void)err;
	if (is_partition(table->new))
		return true;
	if (is_partition(table->old))
		rename_to(w, o);
	else
		add(w, o);
	return true;
}

static const struct property NOT_NULL[] = {
	{ "constraint", .decide = decide_name, .write = rename_it },
	{ "not valid", .decide = decide_validity, .write = validate },
	{ "no inherit", .write = change_inherit },
	{ "inherited", .decide = decide_inherited, .write = change_inherited },
	END_OF_PROPERTIES,
};

static const struct kind KIND_NOT_NULL = {
	.name = "not null",
	.rank = 42,
	.word = ".",
	.drop = "ALTER TABLE {1} ALTER COLUMN {2} DROP NOT NULL",
	.properties = NOT_NULL,
	.write_create = create,
};

static const struct property DOMAIN_NOT_NULL[] = {
	{ "constraint", .write = rename_it },
	END_OF_PROPERTIES,
};

static const struct kind KIND_DOMAIN_NOT_NULL = {
	.name = "domain not null",
	.rank = 37,
	.properties = DOMAIN_NOT_NULL,
};

static const struct kind KIND_NAME = { .name = "not null name", .silent = true, .hangs = true };

/* How many texts the parser does not know: they are compared as they are. */
static const struct kind KIND_TEXT_MODE = { .name = "fingerprint", .silent = true };

const struct kind *const KIND_NOT_NULLS[] = { &KIND_NOT_NULL, &KIND_DOMAIN_NOT_NULL, &KIND_NAME,
	                                      &KIND_TEXT_MODE, NULL };
