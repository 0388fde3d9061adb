/*
 * locks.h - the section option lock="TABLE MODE, ...": locks that are taken before the section's first statement.
 *
 * Taken in one order whatever order they are written in, by table and then by schema, so that two that lock the same
 * tables wait for each other and never deadlock.  The modes are those of LOCK TABLE; without one it is ACCESS
 * EXCLUSIVE, as there.  Names are SQL's: folded to lower case unless quoted.
 */
#ifndef MIGRATIONS_LOCKS_H
#define MIGRATIONS_LOCKS_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

struct table_lock {
	char *schema, *table; /* schema NULL: found by search_path */
	const char *mode;     /* "ACCESS EXCLUSIVE" */
};

struct table_locks {
	struct table_lock *v;
	size_t n;
};

/* ERR_USAGE for what is no such list, an unknown mode, a table that is named twice. */
MUST_CHECK bool locks_parse(const char *text, struct table_locks *out, struct err *err);
void locks_clear(struct table_locks *l);
/* LOCK TABLE ...; for each, a line each. */
void locks_sql(const struct table_locks *l, struct buf *out);

static inline void cleanup_locks_(struct table_locks *l) { locks_clear(l); }
#define cleanup_locks __attribute__((cleanup(cleanup_locks_)))

#endif
