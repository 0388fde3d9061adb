/*
 * hazards.h - whether the changes say what the server then does: rewritten tables, and locks that exclude everybody.
 */
#ifndef TESTS_SCHEMA_HAZARDS_H
#define TESTS_SCHEMA_HAZARDS_H

#include "base/db.h"
#include "migrations/schema/changes.h"

struct hazards {
	struct rows *first;  /* the tables before any change: what is made by the changes is nobody else's */
	struct rows *before; /* the last look */
};

/* Before the first change. */
MUST_CHECK bool hazards_begin(struct db *db, struct hazards *out, struct err *err);
/* After a COMMIT: no lock is held. */
MUST_CHECK bool hazards_again(struct db *db, struct hazards *h, struct err *err);
/* After a change: prints, behind `way`, what it did without a word, and counts. */
MUST_CHECK bool hazards_check(struct db *db, struct hazards *h, const struct change *c, const char *way,
                              size_t *n, struct err *err);
void hazards_clear(struct hazards *h);
#define cleanup_hazards __attribute__((cleanup(hazards_clear)))

#endif
