/*
 * columns.h - a column's definition, for CREATE TABLE as well.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_COLUMNS_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_COLUMNS_H

#include "migrations/schema/changes/object.h"

/* "a integer DEFAULT 1 NOT NULL"; with the default when it is made with the column. */
MUST_CHECK bool column_define(const struct objects *all, struct buf *out, const struct object *o, struct err *err);

#endif
