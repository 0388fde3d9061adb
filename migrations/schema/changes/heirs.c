#include "migrations/schema/changes/heirs.h"

#include "migrations/schema/changes/kinds.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

static bool is(const struct object *o, const char *kind) { return strcmp(o->kind->name, kind) == 0; }

static void read_parents(const struct fact *table, struct strv *out)
{
	const char *parents = fact_value(table, "parents");

	words_list(out, parents ? parents : "");
}

/* "public.t.c" and "c on public.t" with the parent's name for the table's. */
static struct object *find_above(const struct objects *all, const struct object *part, const struct fact *f,
                                 const struct fact *table, const char *parent)
{
	size_t len = strlen(table->name);
	cleanup_free char *name = is(part, "column")
	                                  ? mem_fmt("%s%s", parent, f->name + len)
	                                  : mem_fmt("%.*s%s", (int)(strlen(f->name) - len), f->name, parent);

	return objects_find(all, part->kind->name, name);
}

static struct object *find_tie(const struct objects *all, const struct object *table, const char *parent)
{
	cleanup_free char *heir = mem_fmt("%s from %s", object_fact(table)->name, parent);
	struct object *tie = objects_find(all, "partition", object_fact(table)->name);

	return tie ? tie : objects_find(all, "inheritance", heir);
}

bool heir_is_tied(const struct objects *all, const struct object *table, const char *parent)
{
	const struct object *tie = find_tie(all, table, parent);

	return tie && tie->old && tie->new && !object_drops(tie);
}

bool heir_comes_along(const struct object *part)
{
	const struct fact *table = part->part_of->new;

	return fact_value(part->new, "inherited") && fact_value(table, "parents") &&
	       !fact_value(table, "partition bound");
}

struct object *heir_parents_part(const struct objects *all, const struct object *part, bool new)
{
	const struct fact *f = new ? part->new : part->old;
	const struct fact *table = new ? part->part_of->new : part->part_of->old;
	cleanup_strv struct strv names = STRV_INIT;

	if (!fact_value(f, "inherited") || (!is(part, "column") && !is(part, "constraint")))
		return NULL;
	read_parents(table, &names);
	for (size_t i = 0; i < names.n; i++) {
		struct object *above = find_above(all, part, f, table, names.v[i]);

		if (above && (heir_is_tied(all, part->part_of, names.v[i]) || object_makes(part->part_of)))
			return above;
	}
	return NULL;
}

struct object *heir_maker(const struct objects *all, const struct object *column)
{
	struct object *above = heir_parents_part(all, column, true), *higher;

	if (!above || !object_makes(above) || object_makes(column->part_of))
		return NULL;
	while ((higher = heir_parents_part(all, above, true)) && object_makes(higher))
		above = higher;
	return above;
}

const struct object *heir_column_above(const struct objects *all, const struct object *column,
                                       const char *parent)
{
	const struct object *above = find_above(all, column, column->new, column->part_of->new, parent);

	return above && above->new ? above : NULL;
}

/* A check whose tree is not the one that its text gives: it stands from before, or is copied from such a one. */
static bool has_old_check(const struct objects *all, const struct object *table, const struct object *parent)
{
	for (FOR_LINKS(i, &all->new_users, all, table)) {
		const struct object *part = all->new_users.v[i], *above;

		if (!is(part, "constraint") || part->part_of != table ||
		    !fact_value(part->new, "inherited") ||
		    strcmp(fact_value(part->new, "type"), "check") != 0)
			continue;
		above = find_above(all, part, part->new, table->new, parent->new->name);
		if (above && (!object_makes(above) || heir_like(all, parent)))
			return true;
	}
	return false;
}

const struct object *heir_like(const struct objects *all, const struct object *table)
{
	cleanup_strv struct strv names = STRV_INIT;
	const struct object *parent;

	if (!object_makes(table) || !fact_value(table->new, "partition bound"))
		return NULL;
	read_parents(table->new, &names);
	parent = names.n == 1 ? objects_find(all, "table", names.v[0]) : NULL;
	return parent && parent->new &&has_old_check(all, table, parent) ? parent : NULL;
}

/* ------------------------------------------------------------------ ties */

static void retie(struct objects *all, const struct object *table, const char *parent, const char *because)
{
	struct object *tie = find_tie(all, table, parent);

	if (tie && tie->old && tie->new) {
		tie->action = ACTION_REBUILD;
		tie->because = because;
	}
}

/* Those that stay keep their order, in front of those that come. */
static void keep_order(struct objects *all, const struct object *table)
{
	cleanup_strv struct strv was = STRV_INIT, is = STRV_INIT, kept = STRV_INIT;
	size_t same = 0;

	read_parents(table->old, &was);
	read_parents(table->new, &is);
	for (size_t i = 0; i < was.n; i++)
		if (strv_has(&is, was.v[i]))
			strv_add(&kept, was.v[i]);
	while (same < kept.n && strcmp(kept.v[same], is.v[same]) == 0)
		same++;
	for (size_t i = same; same < kept.n && i < is.n; i++)
		retie(all, table, is.v[i], "the order of the parents");
}

/* A table that is there and will be, and inherits in another way than a partition does. */
static bool is_heir(const struct object *table)
{
	return table && (is(table, "table") || is(table, "foreign table")) && table->old && table->new &&
	       !object_makes(table) && fact_value(table->new, "parents") &&
	       !fact_value(table->new, "partition bound");
}

static bool is_part(const struct object *o)
{
	return o->new &&
	       (is(o, "column") || (is(o, "constraint") && strcmp(fact_value(o->new, "type"), "check") == 0));
}

/* What was inherited and is to be the table's own as well becomes that when no parent has it for a moment. */
static void let_go(struct objects *all, const struct object *part)
{
	cleanup_strv struct strv parents = STRV_INIT;

	read_parents(part->part_of->new, &parents);
	for (size_t i = 0; i < parents.n; i++)
		if (find_above(all, part, part->new, part->part_of->new, parents.v[i]))
			retie(all, part->part_of, parents.v[i], part->new->name);
}

static bool stays_inherited(const struct objects *all, const struct object *part)
{
	const struct object *above = heir_parents_part(all, part, true);

	if (part->old && !object_makes(part))
		return fact_value(part->old, "inherited") && above && above->old && above->new;
	return above && object_makes(above);
}

bool heirs_decide(struct objects *all, struct err *err)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct object *o = &all->v[i];

		if (is_heir(o))
			keep_order(all, o);
		else if (is_part(o) && o->old && is_heir(o->part_of) && fact_value(o->old, "inherited") &&
		         !fact_value(o->new, "inherited"))
			let_go(all, o);
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct object *o = &all->v[i];

		if (is_part(o) && is_heir(o->part_of) && fact_value(o->new, "inherited") &&
		    !stays_inherited(all, o))
			return err_set(
				err, ERR_REFUSED,
				"%s %s: no statement makes it inherited alone, in a table that is there",
				o->new->kind, o->new->name);
	}
	return true;
}
