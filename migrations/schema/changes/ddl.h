/*
 * ddl.h - writes the statements of one object.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_DDL_H
#define MIGRATIONS_SCHEMA_CHANGES_DDL_H

#include "migrations/schema/changes/kinds.h"

#include "base/strv.h"

struct writer {
	const struct objects *all;
	struct changes *out;
	struct strv added; /* values of enums, as literals, that are not committed yet */
};

/* One statement from a template over f, a fact of o; `did` follows the object's name in what it is about
 * ("create", "set storage").  A template of which nothing is left writes nothing. */
void ddl_write(struct writer *w, const struct object *o, const struct fact *f, const char *did, unsigned hazards,
               const char *pattern);
/* The same of a statement that is ready. */
void ddl_add(struct writer *w, const struct object *o, const char *did, unsigned hazards, const char *sql);

/* The last statement comes after a COMMIT. */
void ddl_commit_before(struct writer *w);

/* ALTER TYPE ... ADD VALUE: what says the literal from then on waits for a COMMIT. */
void ddl_add_value(struct writer *w, const struct object *o, const char *literal, const char *sql);

/* A name, in quotes where it needs them. */
void ddl_ident(struct buf *out, const char *name);

/* A template's text alone. */
void ddl_expand(const struct objects *all, struct buf *out, const struct object *o, const struct fact *f,
                const char *pattern);

MUST_CHECK bool ddl_drop(struct writer *w, const struct object *o, struct err *err);
MUST_CHECK bool ddl_create(struct writer *w, const struct object *o, struct err *err);
MUST_CHECK bool ddl_alter(struct writer *w, const struct object *o, struct err *err);

/* Whether an attribute is another on the two sides. */
bool value_differs(const struct object *o, const char *attribute);

bool has_children(const struct objects *all, const struct object *table);

/* "a=1, b=2" on both sides: SET of what is new or other, RESET of what is gone, with `prefix` before each name; of what is
 * made anew, all. */
void ddl_options(struct writer *w, const struct object *o, const char *attribute, const char *what,
                 const char *prefix);

#endif
