/*
 * heirs.h - what a table has by its parents: partitions, and tables that inherit.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_HEIRS_H
#define MIGRATIONS_SCHEMA_CHANGES_HEIRS_H

#include "migrations/schema/changes/object.h"

/*
 * Which ties are made anew, behind steps_decide(): INHERIT puts a parent behind the others, and NO INHERIT alone makes a
 * column the table's own.  A column or check that is to be inherited and no more, of a table that is there, is an
 * error: ALTER TABLE INHERIT wants it there before, and then it is the table's own.
 */
MUST_CHECK bool heirs_decide(struct objects *all, struct err *err);

/* Whether the table hangs on that parent before, after and all the while: what is done to the parent reaches it. */
bool heir_is_tied(const struct objects *all, const struct object *table, const char *parent);

/* Whether a column or a constraint comes to its new table with INHERITS alone; a partition's are its own until it is
 * attached. */
bool heir_comes_along(const struct object *part);

/* The same part of a parent whose statement makes (`new`), or drops, this one, too: a column, a check.  NULL: none. */
struct object *heir_parents_part(const struct objects *all, const struct object *part, bool new);

/* The one above whose ADD COLUMN reaches down to this new column of a table that is there; NULL: none. */
struct object *heir_maker(const struct objects *all, const struct object *column);

/* The same column of that parent, on the new side; NULL: none. */
const struct object *heir_column_above(const struct objects *all, const struct object *column, const char *parent);

/*
 * The parent that a new partition is made like, with its checks; NULL: none.  A check of the parent may stand from before,
 * and PostgreSQL compares it by its tree: what it prints for it need not give that tree again (docs/fingerprint.md).
 */
const struct object *heir_like(const struct objects *all, const struct object *table);

#endif
