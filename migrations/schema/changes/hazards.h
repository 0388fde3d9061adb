/*
 * hazards.h - what a statement does to those who use the tables that are there.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_HAZARDS_H
#define MIGRATIONS_SCHEMA_CHANGES_HAZARDS_H

#include "migrations/schema/changes/object.h"

/*
 * Of a statement about o: HAZARD_EXCLUSIVE_LOCK where nobody reads a table meanwhile (ACCESS EXCLUSIVE), HAZARD_WRITE_LOCK
 * where nobody writes (SHARE, SHARE ROW EXCLUSIVE), 0.  A table that these changes make is nobody's yet.
 */
unsigned hazards_of_locks(const struct objects *all, const struct object *o, const char *sql);

/* Whether ADD COLUMN writes a value into each row: what the server does not find out once for all of them. */
bool hazards_fills_rows(const struct objects *all, const struct object *column);

#endif
