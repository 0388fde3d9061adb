/*
 * dump.h - a database as pg_dump sees it.
 */
#ifndef TESTS_SCHEMA_DUMP_H
#define TESTS_SCHEMA_DUMP_H

#include "base/err.h"
#include "base/strv.h"

/* Its text; where the database is, is a conninfo.  PG_BIN, or PATH, has the program.  Owned by the caller. */
MUST_CHECK bool dump_schema(const char *where, char **text, struct err *err);

/* Its lines as they can be compared: sorted, since columns stand in another order, without comments. */
void dump_lines(const char *text, struct strv *out);

/* What one has and the other does not: sorted. */
void dump_lacks(const struct strv *all, const struct strv *without, struct strv *out);

/* Prints at most 20 lines that one of them does not have, behind `way`; returns how many there are. */
size_t dump_differs(const struct strv *is, const struct strv *wanted, const char *way);

/* As one message that a server takes. */
char *dump_as_sql(const char *text);

#endif
