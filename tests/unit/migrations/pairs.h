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
	const char *forth, *back; /* a part of a statement that this way has to have, NULL for any; "!" and a part of the refusal */
};

/* Relations and what is theirs; the other kinds. */
extern const struct pair PAIRS_OF_RELATIONS[], PAIRS_OF_OTHERS[];
extern const size_t N_PAIRS_OF_RELATIONS, N_PAIRS_OF_OTHERS;
/* What servers have from that version on. */
extern const struct pair PAIRS_OF_17[], PAIRS_OF_18[];
extern const size_t N_PAIRS_OF_17, N_PAIRS_OF_18;

#endif
