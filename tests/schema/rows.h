/*
 * rows.h - whether the rows of tables outlived a change of their schema.
 */
#ifndef TESTS_SCHEMA_ROWS_H
#define TESTS_SCHEMA_ROWS_H

#include "base/db.h"
#include "migrations/schema/changes.h"

/* The number of rows of each table, and a digest of each column. */
MUST_CHECK bool rows_read(struct db *db, struct rows **out, struct err *err);

/* Prints, behind `way`, what was lost without a change that says so; returns how much that is. */
size_t rows_lost(const struct rows *before, const struct rows *after, const struct changes *changes,
                 const char *way);

#endif
