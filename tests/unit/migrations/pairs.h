/*
 * pairs.h - two schemas each: whoever has the one wants the other, and back.
 */
#ifndef TESTS_UNIT_MIGRATIONS_PAIRS_H
#define TESTS_UNIT_MIGRATIONS_PAIRS_H

#include <stddef.h>

struct pair {
	const char *name;
	const char *both; /* SQL that is run on both sides before, NULL for none */
	const char *from, *to;
	const char *forth, *back; /* a part of a statement that this way has to have, NULL for any */
};

extern const struct pair PAIRS[];
extern const size_t N_PAIRS;

#endif
