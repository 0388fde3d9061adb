/*
 * side.h - one of the two states as it is read: its facts, and who needs whom by their addresses.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_SIDE_H
#define MIGRATIONS_SCHEMA_CHANGES_SIDE_H

#include "migrations/schema/changes.h"

#include "base/strv.h"

/* Rows of `needs`: what needs, what is needed, pg_depend's letter, 'c' where it only waits to be made, 'p' where the first
 * is a part of the second and goes with it.  Rows of `aliases`: an address that is no fact's, and what stands for it. */
struct side {
	struct schema *facts;
	struct rows *needs, *aliases;
	struct strv renames; /* the statements that were done before it was read */
	char *role;          /* who is connected: the owner of what is made */
	int major;           /* of the server */
};

/* With `renamed` its renames are done before, in a transaction that is rolled back. */
MUST_CHECK bool side_read(struct db *db, const struct schema_options *schema,
                          const struct changes_options *renamed, struct side *out, struct err *err);
/* schema_changes() between two that were read. */
MUST_CHECK bool side_changes(const struct side *old, const struct side *new,
                             const struct changes_options *options, struct changes *out, struct err *err);
void side_clear(struct side *s);

#endif
