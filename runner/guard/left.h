/*
 * left.h - the schema that the last run left, kept for `diff --live`.
 *
 *     STATE_DIR/schemas/<system identifier>-<database>.json   {run, at, database, heads[], schema[facts]}
 *
 * One file a database, which every run that ends with a change replaces.  What is not percent-safe in the
 * database's name is written as %XX.
 */
#ifndef RUNNER_GUARD_LEFT_H
#define RUNNER_GUARD_LEFT_H

#include "base/db.h"
#include "base/err.h"
#include "base/strv.h"
#include "migrations/schema/schema.h"
#include "runner/config.h"

struct left {
	char *run, *at;
	struct strv heads;
	struct schema *schema; /* NULL: nothing is kept of this database */
};

/* What is kept of the database that db is connected to.  ERR_CORRUPT for a file that is damaged. */
MUST_CHECK bool left_read(const struct config *config, struct db *db, struct left *out, struct err *err);
void left_clear(struct left *l);
#define cleanup_left __attribute__((cleanup(left_clear)))

struct run;
/* A failure is a warning: the run has done what it was asked to. */
void left_keep(const struct run *run, const struct schema *now);

#endif
