/*
 * autogen.h - revisions that lead from the history to the desired schema, proven before they are written.
 *
 * The history is replayed on two scratch databases, the desired state loaded into a third one (source.h).  Each revision
 * is run on the first up, down and up again: down must give what the second one still is, and the last upgrade the
 * desired state, in all facts of schema.h but a column's place in its table, which no statement changes, and those of the
 * database itself.
 */
#ifndef RUNNER_GUARD_AUTOGEN_H
#define RUNNER_GUARD_AUTOGEN_H

#include "migrations/migrations.h"
#include "migrations/schema/changes.h"
#include "runner/config.h"
#include "runner/guard/renames.h"

struct autogen_request {
	const char *source;            /* the desired state, as source_open() takes it */
	const struct renames *renames; /* as the command line has them */
	bool ask;                      /* on a terminal: whether what is likely a rename is one */
	bool live;                     /* the history must be all that the live database has: from = live */
	unsigned allowed;              /* enum hazard: those of data loss and rewrites that are accepted */
	const char *message, *id;      /* of the revision; id NULL: a new one */
	const struct strv *labels;
	const struct strv *parents, *depends_on; /* of the first; parents is empty for a base */
	bool concurrently;             /* indexes of tables that are there: CONCURRENTLY */
};

struct autogen_result {
	struct changes changes; /* from the history to the desired state; none: nothing to do */
	struct revision_draft *v; /* one after another: what must be committed before, or cannot be in a transaction, is apart */
	size_t n;
	struct strv likely;     /* renames_tell(), of those that nobody was asked about */
	struct strv differs;    /* why it is not proven: facts, as schema_diff() prints them */
	struct strv kept;       /* what the drafts borrow */
};
void autogen_clear(struct autogen_result *r);
#define cleanup_autogen __attribute__((cleanup(autogen_clear)))

/* The changes alone, for `check`: several heads are fine. */
MUST_CHECK bool autogen_compare(const struct config *config, const struct autogen_request *request,
                                struct autogen_result *out, struct err *err);
/*
 * Proven drafts, of which nothing is written yet.  ERR_REFUSED for several heads, for hazards that are not allowed, for a
 * difference that cannot be expressed, and for drafts that are not proven.  On false *out has what is known so far: the
 * likely renames, and what differs.
 */
MUST_CHECK bool autogen_draft(const struct config *config, const struct autogen_request *request,
                              struct autogen_result *out, struct err *err);
/*
 * The same proof for what hooks have made of the files: *made as autogen_draft() has it, and their texts.  Each is run up,
 * down and up again on new scratch databases.  ERR_REFUSED, also for another header; what differs is added to *made.
 */
MUST_CHECK bool autogen_prove_again(const struct config *config, const struct autogen_request *request,
                                    const struct strv *texts, struct autogen_result *made, struct err *err);

#endif
