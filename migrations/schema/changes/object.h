/*
 * object.h - the objects of both sides, matched by kind and name, and what each of them needs.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_OBJECT_H
#define MIGRATIONS_SCHEMA_CHANGES_OBJECT_H

#include "migrations/schema/changes/side.h"

struct kind;

/* REBUILD: dropped and made again. */
enum action { ACTION_NONE, ACTION_CREATE, ACTION_DROP, ACTION_ALTER, ACTION_REBUILD };

struct object {
	const struct kind *kind;
	const struct fact *old, *new; /* NULL on the side where it is not */
	struct object *part_of;       /* goes when that goes; NULL for what stands alone; of the new side */
	struct object *was_part_of;   /* of the old side; where there is but one side, both are that one's */
	enum action action;
	bool disturbs;                /* altered in a way that its users do not survive */
	bool remade;                  /* by the server, with a column's new type: it forgets statistics targets */
	const char *because;          /* of a REBUILD: the attribute, or the name of what it depends on */
	struct object *dropped_by, *made_by; /* whose statement does it; itself when it has its own */
	bool drops_apart, made_apart; /* by a statement of its own, since its whole's would make a circle */
	size_t drop_step, make_step;  /* order.c's */
};

/* Who needs whom on one side: users[first[i]] up to users[first[i + 1]] for object number i. */
struct links {
	size_t *first;
	struct object **v;
};

struct objects {
	struct object *v;
	size_t n;
	struct links old_needs, old_users, new_needs, new_users;
	const char *role;
	int major; /* of the servers */
	bool concurrently;
};

/* Sides must outlive them. */
void objects_match(const struct side *from, const struct side *to, struct objects *out);
void objects_clear(struct objects *o);

struct object *objects_find(const struct objects *all, const char *kind, const char *name); /* NULL: none */
/* A relation of any kind, by its qualified name. */
struct object *objects_relation(const struct objects *all, const char *name);

static inline size_t object_number(const struct objects *all, const struct object *o)
{
	return (size_t)(o - all->v);
}

/* for (FOR_LINKS(i, &all->new_needs, all, o)) { struct object *needed = all->new_needs.v[i]; } */
/* NOLINTBEGIN(bugprone-macro-parentheses): i is declared there */
#define FOR_LINKS(i, links, all, o) \
	size_t i = (links)->first[object_number((all), (o))], i##_end = (links)->first[object_number((all), (o)) + 1]; \
	i < i##_end; \
	i++
/* NOLINTEND(bugprone-macro-parentheses) */

static inline bool object_drops(const struct object *o)
{
	return o->action == ACTION_DROP || o->action == ACTION_REBUILD;
}

static inline bool object_makes(const struct object *o)
{
	return o->action == ACTION_CREATE || o->action == ACTION_REBUILD;
}

static inline const struct fact *object_fact(const struct object *o)
{
	return o->new ? o->new : o->old;
}

/* An attribute, and its text; NULL where it is not. */
const struct attribute *fact_attribute(const struct fact *f, const char *name);
const char *fact_value(const struct fact *f, const char *attribute);

/* A column that stays with what was computed, and needs the others no more. */
bool object_keeps_computed(const struct object *o);

#endif
