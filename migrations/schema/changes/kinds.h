/*
 * kinds.h - how each kind of fact is made, dropped and changed: a table a kind, a row an attribute.
 *
 * Statements are templates over a fact: {name}, {attribute}, {attribute'} as a literal, {attribute"} as an
 * identifier, {?attribute} to ask for it without writing it, {1} and {2} the parts of a name ("1 on 2", "1.2"), {bare} one without its arguments,
 * {table} the table of a part, with ONLY where other tables inherit from it.  A part in brackets [ ] is left out
 * when something in it is not there.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_H

#include "migrations/schema/changes/object.h"

struct writer;
struct property;

/* What becomes of an object when the attribute changes. */
enum how {
	HOW_IN_PLACE, /* by its own statement */
	HOW_REBUILD,  /* dropped and made again */
	HOW_FOLLOWS,  /* by what something else does */
	HOW_REFUSED,  /* an error */
};

typedef enum how property_decide(const struct objects *all, struct object *o);
typedef bool property_write(struct writer *w, const struct object *o, struct err *err);

struct property {
	const char *name; /* the attribute's; NULL ends a list */
	enum how how;
	bool after;       /* CREATE does not say it: it is set then, too */
	bool forgotten;   /* by what the server makes again with a column's new type: set again, too */
	bool together;    /* one statement for all such attributes that differ: the kind's write_together */
	unsigned hazards;
	const char *set, *unset;  /* templates; over the new fact */
	property_write *write;    /* in their stead */
	property_decide *decide;  /* instead of `how` */
};

struct kind {
	const char *name; /* of its facts */
	const char *noun; /* in SQL */
	int rank;         /* among what could come next the lowest is made first, and dropped last */
	const char *word; /* what parts its names: " on ", "." or NULL */
	const char *create, *drop; /* templates */
	unsigned drop_hazards;
	bool holds_data;  /* is never dropped to be made again */
	bool hangs;       /* its address is that of what it hangs on */
	bool silent;      /* read for the sake of others: has no statements */
	const struct property *properties;
	property_write *write_create, *write_drop; /* in the templates' stead */
	property_write *write_change; /* instead of the properties, for a kind whose facts are one value */
	property_write *write_together;
	property_write *write_adjust; /* what was made by another's statement is put right */
};

const struct kind *kind_of(const char *fact); /* of a fact that is not known: one that refuses every change */
/* Columns of views are no columns of tables. */
const struct kind *kind_within(const struct kind *kind, const struct object *whole);

extern const struct kind *const KIND_TABLES[], *const KIND_COLUMNS[], *const KIND_CONSTRAINTS[], *const KIND_SEQUENCES[],
	*const KIND_VIEWS[], *const KIND_SATELLITES[], *const KIND_GRANTS[], *const KIND_ROUTINES[],
	*const KIND_TYPES[], *const KIND_COMPOSITES[], *const KIND_RANGES[], *const KIND_COLLATIONS[],
	*const KIND_OPERATORS[], *const KIND_OUTSIDE[], *const KIND_TEXTSEARCH[], *const KIND_NOT_NULLS[];
extern const struct kind KIND_VIEW_COLUMN;

#define OWNED_BY(noun) \
	{ "owner", .set = "ALTER " noun " {name} OWNER TO {owner\"}", .after = true }
#define END_OF_PROPERTIES { .name = NULL }

#endif
