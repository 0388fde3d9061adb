/*
 * constraints.h - a constraint's definition, for CREATE TABLE as well.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_CONSTRAINTS_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_CONSTRAINTS_H

#include "migrations/schema/changes/object.h"

/* "PRIMARY KEY (a) WITH (fillfactor='70')": with what its index has. */
void constraint_define(const struct objects *all, struct buf *out, const struct object *o);

#endif
