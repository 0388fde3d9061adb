/*
 * normal.h - one form for texts that PostgreSQL deparses in two ways.
 *
 * A text is deparsed once as it was written, and from the first dump and restore on in another way
 * (tried on 15.20):
 *   varchar IN ('a', 'b')   (ARRAY['a'::varchar, ...])::text[]  becomes  ARRAY[('a'::varchar)::text, ...]
 *   BETWEEN beside AND      ((a >= 1) AND (a <= 9)) AND ...     becomes  (a >= 1) AND (a <= 9) AND ...
 *   CREATE STATISTICS s ON b, a FROM t   in the order that the table has them, which may be another elsewhere
 * So the text's parse tree is taken, AND within AND and OR within OR are flattened, a cast of an array
 * is distributed over its elements, the columns of statistics are sorted, places in the text are dropped, and
 * the rest is hashed.
 *
 * Only statistics, and texts that have the words ARRAY, AND or OR are parsed: the first two need one of them, and
 * neither takes the last one away, so a text is parsed on both sides of a restore or on neither.  Whatever is
 * not parsed is compared byte by byte, which can only tell more apart.
 */
#ifndef MIGRATIONS_SCHEMA_NORMAL_H
#define MIGRATIONS_SCHEMA_NORMAL_H

#include "base/json.h"

#include <stdbool.h>

enum normal_result {
	NORMAL_AS_IS,    /* the text is its own form */
	NORMAL_FORM,     /* *form is set, the caller's: "sql:" and 64 hex digits */
	NORMAL_UNPARSED, /* a text that the parser does not know: its own form */
};

/* `context` says what the text is a part of: "expression", "statement", "statistics", "constraint", "arguments",
 * "body", "partition key"; any other is a bug and ends the process. */
enum normal_result normal_form(const char *context, const char *text, char **form);

/* The rewritings alone: of a parse tree, in place. */
void normal_tree(json_t *tree);

#endif
