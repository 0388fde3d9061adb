/*
 * autogenerate.h - what `revision --autogenerate` and `check --autogenerate` do.
 */
#ifndef RUNNER_CLI_AUTOGENERATE_H
#define RUNNER_CLI_AUTOGENERATE_H

#include "runner/cli/cli.h"
#include "runner/guard/autogen.h"

struct autogenerate_options {
	struct strv allow, renames; /* as they were given */
	bool live;                  /* the desired state is the live database's */
	bool concurrently;
};

/* ERR_USAGE without a source.  *out is the caller's, autogen_clear(). */
MUST_CHECK bool autogenerate_compare(struct app *app, const struct autogenerate_options *options,
                                     struct autogen_result *out, struct err *err);
/* Writes the revisions and prints their paths; none where nothing is to be done.  *first says what the first one is
 * called, and where it stands. */
MUST_CHECK bool autogenerate_revisions(struct app *app, const struct autogenerate_options *options,
                                       const struct revision_draft *first, struct err *err);

#endif
