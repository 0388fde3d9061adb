#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/heirs.h"
#include "migrations/schema/changes/kinds/grants.h"
#include "migrations/schema/changes/steps.h"
#include "migrations/schema/store.h"

#include <string.h>

static const struct property *find_property(const struct kind *kind, const char *name)
{
	for (const struct property *p = kind->properties; p && p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static bool unknown(const struct object *o, const char *attribute, struct err *err)
{
	return err_set(err, ERR_REFUSED, "%s %s: a change of %s is not known", object_fact(o)->kind,
	               object_fact(o)->name, attribute);
}

static bool apply(const struct objects *all, struct object *o, const struct property *p, struct err *err)
{
	switch (p->decide ? p->decide(all, o) : p->how) {
	case HOW_FOLLOWS: return true;
	case HOW_IN_PLACE:
		if (o->action == ACTION_NONE)
			o->action = ACTION_ALTER;
		return true;
	case HOW_REBUILD:
		o->action = ACTION_REBUILD;
		o->because = p->name;
		return true;
	case HOW_REFUSED: break;
	}
	return err_set(err, ERR_REFUSED, "%s %s: %s cannot be changed by a statement", object_fact(o)->kind,
	               object_fact(o)->name, p->name);
}

static bool decide_attribute(const struct objects *all, struct object *o, const char *name, struct err *err)
{
	const struct property *p;

	if (!value_differs(o, name))
		return true;
	p = find_property(o->kind, name);
	return p ? apply(all, o, p, err) : unknown(o, name, err);
}

/* Said here, before the order of what it belongs to is found wanting. */
static bool is_unknown(const struct object *o) { return o->kind->name[0] == '\0'; }

static bool decide_both(const struct objects *all, struct object *o, struct err *err)
{
	if (strcmp(o->old->digest, o->new->digest) == 0)
		return true;
	if (is_unknown(o))
		return o->kind->write_change(NULL, o, err);
	if (o->kind->write_change) {
		o->action = ACTION_ALTER;
		return true;
	}
	for (size_t i = 0; i < o->old->n; i++)
		if (!decide_attribute(all, o, o->old->attributes[i].name, err))
			return false;
	for (size_t i = 0; i < o->new->n; i++)
		if (!fact_attribute(o->old, o->new->attributes[i].name) &&
		    !decide_attribute(all, o, o->new->attributes[i].name, err))
			return false;
	return true;
}

/* An attribute that no row knows would be left out in silence. */
static bool knows_all(const struct object *o, struct err *err)
{
	for (size_t i = 0; !o->kind->write_change && i < o->new->n; i++)
		if (!find_property(o->kind, o->new->attributes[i].name))
			return unknown(o, o->new->attributes[i].name, err);
	return true;
}

static void rebuild_class(const struct objects *all, const struct links *links, const struct object *entry)
{
	for (FOR_LINKS(i, links, all, entry)) {
		struct object *class = links->v[i];

		if (strcmp(class->kind->name, "operator class") != 0 || !class->old || !class->new)
			continue;
		class->action = ACTION_REBUILD;
		class->because = "its members";
	}
}

/* A member of a class neither comes nor goes without it; one of the family alone does. */
static void decide_classes(const struct objects *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct object *o = &all->v[i];

		if (strncmp(o->kind->name, "family ", strlen("family ")) != 0)
			continue;
		if (object_drops(o))
			rebuild_class(all, &all->old_needs, o);
		if (object_makes(o))
			rebuild_class(all, &all->new_needs, o);
	}
}

/* What goes with an owner, or with a grant on the table, is given again. */
static void decide_grants(const struct objects *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct object *o = &all->v[i];

		if (strcmp(o->kind->name, "grant") == 0 && o->old && o->new && o->action == ACTION_NONE &&
		    (grant_is_handed_over(o) || grant_is_taken_along(all, o)))
			o->action = ACTION_ALTER;
	}
}

bool steps_decide(struct objects *all, struct err *err)
{
	for (size_t i = 0; i < all->n; i++) {
		struct object *o = &all->v[i];

		if (o->kind->silent)
			continue;
		if (o->old && o->new) {
			if (!decide_both(all, o, err))
				return false;
		} else if (is_unknown(o)) {
			return o->kind->write_change(NULL, o, err);
		} else if (o->old) {
			o->action = ACTION_DROP;
		} else {
			o->action = ACTION_CREATE;
			if (!knows_all(o, err))
				return false;
		}
	}
	decide_classes(all);
	decide_grants(all);
	return heirs_decide(all, err);
}
