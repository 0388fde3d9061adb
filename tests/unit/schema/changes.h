/*
 * changes.h - small changes of the fixtures' schemas, each with what undoes it and what the diff says.
 */
#ifndef TESTS_UNIT_SCHEMA_CHANGES_H
#define TESTS_UNIT_SCHEMA_CHANGES_H

#include <stddef.h>

struct change {
	const char *fixture; /* tests/fixtures/schemas/<fixture>.sql */
	const char *up, *down;
	const char *expected; /* a line of the diff begins with this, after "- " or "+ " */
};

/* Undone, the schema is as before. */
extern const struct change CHANGES[];
extern const size_t N_CHANGES;

/* What looks like an undoing is none: `expected` is what is left (schema_notes.md B9.6). */
extern const struct change LEFTOVERS[];
extern const size_t N_LEFTOVERS;

/* No change at all, though the catalog is another: up alone leaves the fingerprint as it is. */
extern const struct change NOTHINGS[];
extern const size_t N_NOTHINGS;

#endif
