/*
 * not_null.h - NOT NULL where it is a constraint: of tables since PostgreSQL 18, of domains since 17.
 *
 * A column's attribute says that it is there, a fact of its own says how: its name where that is not the server's, and
 * whether it is valid and inherited.  The column's or the domain's statements make and drop it; those here change it.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_NOT_NULL_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_NOT_NULL_H

#include "migrations/schema/changes/ddl.h"

/* The fact about o, a column or a domain; NULL: there is none, or the server has none. */
const struct object *not_null_of(const struct objects *all, const struct object *o);

/* That of a parent, whose statements reach down to this one: its table hangs on it all the while.  NULL: none. */
struct object *not_null_above(const struct objects *all, const struct object *o);

/* " CONSTRAINT c NOT NULL", as a column's or a domain's definition has it; nothing where it comes later or is not.
 * `implied`: something before says it, unless it has a name. */
void not_null_define(const struct objects *all, struct buf *out, const struct object *o, bool implied);

/* The same as an item of CREATE TABLE, for a column that comes from a parent; false: nothing is to be said. */
bool not_null_item(const struct objects *all, struct buf *out, const struct object *column);

/* It comes to a column or a domain that is there, or goes. */
void not_null_change(struct writer *w, const struct object *o);

#endif
