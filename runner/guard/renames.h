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

/* What is gone and what is new, and is not said to be a rename, but may be one: a column of the same type, a table of the
 * same columns, a type or a sequence that is the same. */
struct likely_rename {
	const char *kind, *from, *to; /* "column", "public.account.mail", "public.account.email" */
};
struct likely_renames {
	struct likely_rename *v; /* all pairs: a name may be in several */
	size_t n;
	struct strv words; /* what v borrows */
};
void renames_likely(const struct renames *r, const struct schema *old, const struct schema *new,
                    struct likely_renames *out);
void likely_renames_clear(struct likely_renames *l);
#define cleanup_likely_renames __attribute__((cleanup(likely_renames_clear)))

/* For people, a line each, with the flag that makes it one. */
void renames_tell(const struct likely_renames *likely, struct strv *out);
/* On a terminal: a question for each; a yes adds it, and then neither of its names is asked about again.  ERR_CANCELLED
 * for a signal.  Nothing is asked elsewhere. */
MUST_CHECK bool renames_ask(struct renames *r, const struct schema *old, const struct schema *new, struct err *err);

#endif
