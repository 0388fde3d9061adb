/*
 * links.h - who needs whom, by addresses: "classid objid objsubid" as facts have them, or a word in the class's place
 * for a part that has none ("partition 16400 0", kinds/parts.c).
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_LINKS_H
#define MIGRATIONS_SCHEMA_CHANGES_LINKS_H

#include "base/db.h"

/*
 * Rows of `needs`: what needs, what is needed, pg_depend's letter, or 'p' where the first is a part of the second and
 * goes with it.  Rows of `aliases`: an address that is no fact's, and what stands for it.  search_path must be
 * pg_catalog.  Both are the caller's.
 */
MUST_CHECK bool links_read(struct db *db, struct rows **needs, struct rows **aliases, struct err *err);

#endif
