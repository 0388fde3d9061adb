#include "migrations/schema/changes/heirs.h"
#include "migrations/schema/changes/kinds/not_null.h"
#include "migrations/schema/changes/steps.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

static bool is(const struct object *o, const char *kind) { return o && strcmp(o->kind->name, kind) == 0; }

static bool stands_in_table(const struct object *o, const struct object *table)
{
	const char *type = fact_value(o->new, "type");

	if (fact_value(o->new, "not valid") || fact_value(o->new, "triggers enabled"))
		return false;
	return type && strcmp(type, "foreign key") != 0 && strcmp(type, "exclusion") != 0 &&
	       is(table, "table") && !fact_value(table->new, "of type") && !o->made_apart;
}

/* The constructors and casts of a range come and go with it. */
static struct object *own_type(const struct objects *all, const struct links *links, const struct object *o)
{
	for (FOR_LINKS(i, links, all, o))
		if (is(links->v[i], "range"))
			return links->v[i];
	return NULL;
}

/* The function that says a range's values in one way has the range's shell for its argument. */
static struct object *canonical_of(const struct objects *all, const struct links *links,
                                   const struct object *o, bool dropped)
{
	for (FOR_LINKS(i, links, all, o)) {
		struct object *range = links->v[i];
		const char *name = is(range, "range")
		                           ? fact_value(dropped ? range->old : range->new, "canonical")
		                           : NULL;

		if (name && (dropped ? object_drops(range) : object_makes(range)) &&
		    text_starts(object_fact(o)->name, name) && object_fact(o)->name[strlen(name)] == '(')
			return range;
	}
	return NULL;
}

/* An entry of an operator family that stands in a class. */
static struct object *own_class(const struct objects *all, const struct links *links, const struct object *o,
                                bool dropped)
{
	for (FOR_LINKS(i, links, all, o))
		if (is(links->v[i], "operator class") &&
		    (dropped ? object_drops(links->v[i]) : object_makes(links->v[i])))
			return links->v[i];
	return NULL;
}

/* A table of a composite type has its columns by that. */
static struct object *type_of(const struct objects *all, const struct object *table)
{
	const char *was = fact_value(table->old, "of type"), *is = fact_value(table->new, "of type");

	return was && is && strcmp(was, is) == 0 ? objects_find(all, "composite type", is) : NULL;
}

/* A table that is attached as a partition brings its indexes along, to those that its parent has for all. */
static struct object *attaching(const struct objects *all, const struct object *o)
{
	const struct object *parent = objects_find(all, "index", fact_value(o->new, "parent"));
	struct object *partition = objects_find(all, "partition", fact_value(o->part_of->new, "table"));

	return partition && object_makes(partition) && parent && !fact_value(parent->new, "invalid")
	               ? partition
	               : NULL;
}

static bool stands_in_column(const struct objects *all, const struct object *preset,
                             const struct object *column);

/* A column that comes from a parent has the default that the parent's has there and then. */
static bool is_handed_down(const struct objects *all, const struct object *preset,
                           const struct object *parents)
{
	const struct object *above = objects_find(all, "column default", parents->new->name);

	if (!above || !above->new ||
	    strcmp(fact_value(above->new, "value"), fact_value(preset->new, "value")) != 0)
		return false;
	return object_makes(parents) ? stands_in_column(all, above, parents) : above->action == ACTION_NONE;
}

static bool stands_in_column(const struct objects *all, const struct object *preset,
                             const struct object *column)
{
	const struct object *table = column->part_of, *parents;

	if (!is(column, "column") || preset->made_apart || heir_like(all, table))
		return false;
	/* A partition is made for itself, and attached. */
	if (object_makes(table) && fact_value(table->new, "partition bound"))
		return true;
	parents = heir_maker(all, column);
	parents = parents ? parents : heir_parents_part(all, column, true);
	return !parents || is_handed_down(all, preset, parents);
}

/* NOT NULL is a column's: with a new one what is not valid does not come, since a new column has nothing to check. */
static bool comes_with(const struct object *not_null, const struct object *whole)
{
	return object_makes(whole) ? !fact_value(not_null->new, "not valid")
	                           : not_null->action == ACTION_CREATE;
}

/* Whose statement makes o; NULL for its own. */
static struct object *maker(const struct objects *all, struct object *o)
{
	struct object *whole = o->part_of, *parent;

	if (fact_value(o->new, "part of its type"))
		return own_type(all, &all->new_needs, o);
	if (is(o, "function"))
		return canonical_of(all, &all->new_needs, o, false);
	if (!whole)
		return NULL;
	if (object_makes(whole)) {
		if (is(o, "column") || is(o, "view column"))
			return whole;
		if (is(o, "constraint"))
			return stands_in_table(o, whole) ? whole : NULL;
		if (is(o, "column default"))
			return stands_in_column(all, o, whole) ? whole : NULL;
		if (is(o, "inheritance") || is(o, "toast options"))
			return whole;
		if (is(o, "domain constraint"))
			return !fact_value(o->new, "not valid") ? whole : NULL;
	}
	if (is(o, "not null") && (parent = not_null_above(all, o)) && object_makes(parent))
		return parent;
	if (is(o, "not null") || is(o, "domain not null"))
		return comes_with(o, whole) ? whole : NULL;
	if (is(o, "sequence") && is(whole, "column") && fact_value(o->new, "identity of"))
		return whole;
	if (is(o, "index") && is(whole, "constraint"))
		return whole;
	if (is(o, "index partition"))
		return attaching(all, o);
	if (is(o, "column") && type_of(all, whole))
		return type_of(all, whole);
	if (is(o, "family operator") || is(o, "family function"))
		return own_class(all, &all->new_needs, o, false);
	parent = heir_parents_part(all, o, true);
	return parent && object_makes(parent) ? parent : NULL;
}

/* An index of a partition goes with the parent's, unless the partition was detached before. */
static struct object *parents_index(const struct objects *all, const struct object *index)
{
	const char *name = fact_value(index->old, "partition of");
	const char *table = fact_value(index->old, "table");
	struct object *parent = name ? objects_find(all, "index", name) : NULL;
	struct object *partition = table ? objects_find(all, "partition", table) : NULL;

	return parent && object_drops(parent) && partition && !object_drops(partition) ? parent : NULL;
}

/* The index of a constraint. */
static const struct object *own_index(const struct objects *all, const struct object *constraint)
{
	for (FOR_LINKS(i, &all->old_users, all, constraint))
		if (is(all->old_users.v[i], "index"))
			return all->old_users.v[i];
	return NULL;
}

/* A foreign key goes before the tables it ties together. */
static bool ties(const struct objects *all, const struct object *o)
{
	const char *type = fact_value(o->old, "type");

	if (!is(o, "constraint") || !type || strcmp(type, "foreign key") != 0)
		return false;
	for (FOR_LINKS(i, &all->old_needs, all, o)) {
		const struct object *needed = all->old_needs.v[i];

		if (needed != o->was_part_of && needed->was_part_of != o->was_part_of && object_drops(needed))
			return true;
	}
	return false;
}

/* An index leaves its parent's when its table is detached, else when it goes. */
static struct object *detaching(const struct objects *all, const struct object *index)
{
	struct object *partition = objects_find(all, "partition", fact_value(index->old, "table"));

	return partition && object_drops(partition) ? partition : NULL;
}

/* Then its sequence cannot go: it should have been renamed. */
static bool keeps_identity(const struct object *column)
{
	return !object_drops(column) && fact_value(column->old, "identity") &&
	       fact_value(column->new, "identity");
}

static struct object *dropper(const struct objects *all, struct object *o)
{
	struct object *whole = o->was_part_of, *parent;
	const struct object *index = is(o, "index") ? o : is(o, "constraint") ? own_index(all, o) : NULL;

	if (fact_value(o->old, "part of its type"))
		return own_type(all, &all->old_needs, o);
	if (is(o, "function"))
		return canonical_of(all, &all->old_needs, o, true);
	if (is(o, "family operator") || is(o, "family function"))
		if ((parent = own_class(all, &all->old_needs, o, true)))
			return parent;
	if (is(o, "sequence owner") && whole && object_drops(whole))
		return whole;
	if (is(o, "not null") && (parent = not_null_above(all, o)) && object_drops(parent))
		return parent;
	if ((is(o, "not null") || is(o, "domain not null")) && o->action == ACTION_DROP)
		return whole;
	if (is(o, "index partition") && (parent = detaching(all, whole)))
		return parent;
	if (is(o, "sequence") && fact_value(o->old, "identity of") && whole && !keeps_identity(whole))
		return whole;
	if (whole && object_drops(whole) && !ties(all, o) && !is(o, "sequence owner") && !o->drops_apart)
		return whole;
	if (whole && is(o, "index") && is(whole, "constraint"))
		return whole;
	if (is(o, "column") && whole && type_of(all, whole))
		return type_of(all, whole);
	if (index && (parent = parents_index(all, index)))
		return parent;
	parent = o->part_of && !is(o, "view column") ? heir_parents_part(all, o, false) : NULL;
	return parent && object_drops(parent) ? parent : NULL;
}

/* A sequence goes with the column that owns it, after its owner's statement would have. */
static struct object *owning_column(const struct objects *all, const struct object *sequence)
{
	const char *column = fact_value(sequence->old, "owned by");
	struct object *owner = column ? objects_find(all, "column", column) : NULL;

	return owner && object_drops(owner) ? owner : NULL;
}

void steps_fold(struct objects *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct object *o = &all->v[i], *by = NULL;

		o->made_by = o->dropped_by = o;
		if (object_makes(o) && (by = maker(all, o)))
			o->made_by = by;
		if (!object_drops(o))
			continue;
		by = dropper(all, o);
		if (!by && is(o, "sequence"))
			by = owning_column(all, o);
		if (by)
			o->dropped_by = by;
	}
}
