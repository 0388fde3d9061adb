/*
 * alike.h - constraints and indexes of a table that are the same on both sides but for their names.
 *
 * They are renamed, which takes a moment and keeps what refers to a key, instead of being dropped and built again.
 * Nothing is guessed: two that are the same in all but their names do not differ in what they do.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_ALIKE_H
#define MIGRATIONS_SCHEMA_CHANGES_ALIKE_H

#include "migrations/schema/changes/side.h"

/*
 * Adds the statements to `out`, and returns the old facts as they are behind them; NULL: there is nothing to rename.
 * The caller's, schema_free(); `old` and `new` must outlive it.
 */
struct schema *alike_rename(const struct schema *old, const struct schema *new, struct changes *out);

#endif
