/*
 * renames.h - what somebody says is a rename: --rename on the command line, and comments in a schema's source.
 *
 *     --rename public.account.mail=email
 *     -- ripcord:rename public.account.mail email
 *
 * Names are qualified and quoted as SQL wants them: a table, view, sequence, index, type, or, with three names, a
 * column of a table.  The new one may be the last name alone.
 */
#ifndef RUNNER_GUARD_RENAMES_H
#define RUNNER_GUARD_RENAMES_H

#include "base/err.h"
#include "base/strv.h"
#include "migrations/schema/changes.h"

struct renames {
	struct rename *v;
	size_t n;
	struct strv words; /* what v borrows */
};
void renames_clear(struct renames *r);
#define cleanup_renames __attribute__((cleanup(renames_clear)))

void renames_add(struct renames *r, const char *from, const char *to);
/* "A=B"; ERR_USAGE for anything else. */
MUST_CHECK bool renames_add_word(struct renames *r, const char *word, struct err *err);
/* Those of all lines of a text that begin with "-- ripcord:rename"; ERR_USAGE with file and line. */
MUST_CHECK bool renames_add_comments(struct renames *r, const char *path, const char *text, struct err *err);
/* The way back: the last first. */
void renames_reverse(const struct renames *r, struct renames *out);
/* Adds those comments that are not done yet: what they name is in the old state, and its new name is in the new one
 * alone. */
void renames_add_open(struct renames *r, const struct renames *comments, const struct schema *old,
                      const struct schema *new);
/* For people, a line each: what is gone and what is new, and is not said to be a rename, but may be one. */
void renames_likely(const struct renames *r, const struct schema *old, const struct schema *new, struct strv *out);

#endif
