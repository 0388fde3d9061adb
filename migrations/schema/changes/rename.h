/*
 * rename.h - a hint that what is gone and what is new are one thing.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_RENAME_H
#define MIGRATIONS_SCHEMA_CHANGES_RENAME_H

#include "migrations/schema/changes.h"

/* The statement: of a relation, a column, a type or a schema of the connected database.  *out is the caller's. */
MUST_CHECK bool rename_sql(struct db *db, const struct rename *r, char **out, struct err *err);

#endif
