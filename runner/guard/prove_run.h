/*
 * prove_run.h - `ripcord prove`: whether each revision's downgrade really leads back.
 *
 * On a scratch database the history up to the revision is applied; then upgrade with its verify, downgrade, and a
 * comparison with before; upgrade again, and a comparison with the first one.
 */
#ifndef RUNNER_GUARD_PROVE_RUN_H
#define RUNNER_GUARD_PROVE_RUN_H

#include "base/strv.h"
#include "runner/config.h"
#include "runner/guard/proofs.h"

enum { PROVE_SAMPLE_MAX = 100000 };

struct prove_request {
	const char *const *words; /* revisions in the grammar of targets; none: all */
	size_t n_words;
	int64_t sample;           /* rows that every table gets before the upgrade; 0: none, the schema alone is compared */
	const char *backup;       /* whose rows they are: id or unique prefix, or "newest"; NULL: they are made */
};

struct prove_result {
	struct proof *v; /* parents before children */
	size_t n;
};
void prove_result_clear(struct prove_result *r);

/*
 * Works where [drill] url leads, else beside the live database, which need not be there; the scratch database is dropped
 * again, also after a failure, and what a kill has left is dropped by the next one.  What was found is kept (proofs.h).
 * A backup is restored into a second scratch database, and its rows go nowhere but into the first one.
 * False when it could not be found out at all: ERR_USAGE for a broken graph, ERR_DB without a server, ERR_CANCELLED,
 * ERR_BACKUP for a backup that is not there or does not come back.
 */
MUST_CHECK bool prove_run(const struct config *config, const struct prove_request *request, struct prove_result *out,
                          struct err *err);

#endif
