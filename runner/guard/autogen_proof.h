/*
 * autogen_proof.h - from changes to drafts of revisions, each tried up, down and up again.  Private to runner/guard/.
 */
#ifndef RUNNER_GUARD_AUTOGEN_PROOF_H
#define RUNNER_GUARD_AUTOGEN_PROOF_H

#include "runner/guard/autogen.h"
#include "runner/guard/run.h"
#include "runner/guard/source.h"

struct autogen {
	const struct config *config;
	const struct autogen_request *request;
	struct autogen_result *out;
	bool is_drift;                  /* the desired state is the live database's */
	struct source *ahead, *behind;  /* histories: one is tried on, one is a revision behind */
	struct source *wanted;
	struct renames renames;         /* all that are open */
	const struct strv *texts;       /* of the files, one a draft, as hooks have left them */
};

struct schema_options autogen_schema_options(const struct autogen *a);
/* ERR_REFUSED: what differs is added to the result. */
MUST_CHECK bool autogen_same(struct autogen *a, struct db *expected, struct db *is, struct err *err);
/* The drafts for the result's changes. */
MUST_CHECK bool autogen_prove(struct autogen *a, struct err *err);
/* a->texts instead of what the drafts would be. */
MUST_CHECK bool autogen_prove_texts(struct autogen *a, struct err *err);

#endif
