#include "migrations/schema/changes/steps.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct queue {
	struct object **v;
	size_t n, cap;
};

static void push(struct queue *q, struct object *o)
{
	if (q->n == q->cap) {
		q->cap = q->cap ? 2 * q->cap : 64;
		q->v = mem_grow(q->v, q->cap, sizeof(struct object *));
	}
	q->v[q->n++] = o;
}

static bool needs(const struct objects *all, const struct links *links, const struct object *user,
                  const struct object *needed)
{
	for (FOR_LINKS(i, links, all, user))
		if (links->v[i] == needed)
			return true;
	return false;
}

/* What hangs in a partition or in what is inherited waits for it, but does not need it. */
static bool is_tie(const struct object *user)
{
	return strcmp(user->kind->name, "partition") == 0 || strcmp(user->kind->name, "inheritance") == 0;
}

/* Indexes, constraints and statistics are put right by the server when a column's type changes. */
static bool survives(const struct object *user, const struct object *o)
{
	static const char *const KINDS[] = { "index",           "constraint",       "statistics",
		                             "sequence owner",  "not null",         "partition",
		                             "index partition", "replica identity", "clustered index" };

	if (is_tie(o) && strcmp(user->kind->name, "index") == 0)
		return true;
	if (is_tie(user))
		return !object_drops(o) || !strstr(o->kind->name, "table");
	if (object_drops(o) || strcmp(o->kind->name, "column") != 0)
		return false;
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(*KINDS); i++)
		if (strcmp(user->kind->name, KINDS[i]) == 0)
			return true;
	return user->kind->hangs || strcmp(user->kind->name, "sequence") == 0;
}

/* Altered so that it does without, before the other is dropped; a column also with its type. */
static bool leaves(const struct objects *all, const struct object *user, const struct object *o)
{
	bool alters = user->action == ACTION_ALTER ||
	              (strcmp(user->kind->name, "column") == 0 && user->was_part_of != o);

	return alters && object_drops(o) && !needs(all, &all->new_needs, user, o);
}

/* What a generated column holds is computed again. */
static bool holds_data(const struct object *o)
{
	return o->kind->holds_data && !(o->new &&fact_value(o->new, "generated"));
}

static bool rebuild(struct object *user, const struct object *because, struct err *err)
{
	/* What only hangs on it, or goes with its whole, holds nothing of its own. */
	if (holds_data(user) && user->was_part_of != because)
		return err_set(err, ERR_REFUSED,
		               "%s %s: depends on %s %s, which must be dropped and made again",
		               user->old->kind, user->old->name, because->old->kind, because->old->name);
	user->action = ACTION_REBUILD;
	user->because = because->old->name;
	return true;
}

/* A column gets the new type by a statement of its own; one of a composite type has it still. */
static bool is_retyped(const struct object *user, const struct object *o)
{
	if (!object_drops(o) && fact_value(user->old, "of type"))
		return true;
	return !object_drops(o) && strcmp(user->kind->name, "column") == 0 &&
	       (strcmp(o->kind->name, "enum") == 0 || strcmp(o->kind->name, "domain") == 0 ||
	        strcmp(o->kind->name, "composite type") == 0);
}

/* Of one object that is dropped, or altered so that its users do not survive. */
static bool spread_one(struct objects *all, struct object *o, struct queue *q, struct err *err)
{
	for (FOR_LINKS(i, &all->old_users, all, o)) {
		struct object *user = all->old_users.v[i];

		if (user->kind->silent || !user->new || user->action == ACTION_REBUILD || survives(user, o) ||
		    leaves(all, user, o))
			continue;
		if (is_retyped(user, o)) {
			if (fact_value(user->old, "of type"))
				continue;
			if (!user->disturbs && strcmp(o->kind->name, "composite type") != 0)
				push(q, user);
			user->disturbs = user->disturbs || strcmp(o->kind->name, "composite type") != 0;
			continue;
		}
		if (!rebuild(user, o, err))
			return false;
		push(q, user);
	}
	return true;
}

/* Who drops a part, drops the whole when there is no other way. */
static bool check_data(const struct object *o, struct err *err)
{
	if (o->action == ACTION_REBUILD && holds_data(o) && !(o->was_part_of && object_drops(o->was_part_of)))
		return err_set(
			err, ERR_REFUSED,
			"%s %s: would have to be dropped and made again for %s, and would lose its data",
			o->old->kind, o->old->name, o->because);
	return true;
}

bool steps_spread(struct objects *all, struct err *err)
{
	struct queue q = { .v = NULL };
	bool ok = true;

	for (size_t i = 0; i < all->n; i++)
		if (object_drops(&all->v[i]) || all->v[i].disturbs)
			push(&q, &all->v[i]);
	for (size_t i = 0; ok && i < q.n; i++)
		ok = spread_one(all, q.v[i], &q, err);
	for (size_t i = 0; ok && i < all->n; i++)
		ok = check_data(&all->v[i], err);
	free(q.v);
	return ok;
}
