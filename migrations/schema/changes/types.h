/*
 * types.h - what is known about types by their names, as format_type() writes them.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_TYPES_H
#define MIGRATIONS_SCHEMA_CHANGES_TYPES_H

#include "migrations/schema/changes/object.h"

/* What a column is cast to in USING; NULL where assignment does it, which also refuses a text that is too long where a
 * cast would cut it.  The caller's. */
char *type_cast(const char *from, const char *to);

unsigned type_hazards(const char *from, const char *to);

/* The storage that a type has by itself: "plain", "main" or "extended". */
const char *type_storage(const struct objects *all, const char *type);

/* The greatest value of smallint, integer or bigint. */
const char *sequence_limit(const char *type);

/* As CREATE SEQUENCE, serial and identity columns make it when nothing is said. */
bool sequence_is_plain(const struct fact *sequence);

#endif
