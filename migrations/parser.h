/*
 * parser.h - PostgreSQL's own parser, by libpg_query; parser.c is the only file that includes it.
 *
 * The parser has a version of its own (libpg_query 15), older perhaps than the server: a text that it
 * does not know is no proof of an error, so callers treat ERR_USAGE from here as "not known".
 */
#ifndef MIGRATIONS_PARSER_H
#define MIGRATIONS_PARSER_H

#include "base/err.h"
#include "base/json.h"

#include <stddef.h>

/* Longer texts are not parsed into a tree: a tree takes up to 80 bytes of stack for a byte of text. */
#define PARSER_TREE_MAX ((size_t)4 << 20)

/*
 * The parse tree of `sql` as libpg_query writes it: {"version": N, "stmts": [{"stmt": {...}}]}; to be
 * read by field name, numbers move between versions.  *tree is the caller's.
 * ERR_USAGE for what does not parse, is longer than PARSER_TREE_MAX or nested deeper than jansson
 * reads (2048 levels of JSON).
 * Blocks: texts over 32 KiB are parsed on a thread with a stack of its own, since libpg_query writes
 * its tree recursively and checks no depth ("1+1+1..." 100,000 times overruns 8 MiB).
 */
MUST_CHECK bool parser_parse(const char *sql, json_t **tree, struct err *err);

/* One statement of a text: bytes, without the semicolon. */
struct statement {
	size_t start, len;
};

/*
 * Where the statements of `sql` are, by the grammar (so that BEGIN ATOMIC bodies and rules stay whole);
 * empty ones vanish.  *out is an array that the caller frees.
 * ERR_USAGE for what does not parse.
 */
MUST_CHECK bool parser_split(const char *sql, struct statement **out, size_t *n, struct err *err);
/* The text ends where the grammar wants more: a file that was cut off, whatever the server's version. */
bool parser_is_unfinished(const char *sql);

#endif
