/*
 * swap.h - the candidate takes the live database's name, in one transaction (proof.md section 5).
 *
 * A rename locks new logins out before it waits for sessions to go, and a second connection ends those: of
 * clients that reconnect all the time, none gets an answer from the quarantine after it got one from the new database.
 */
#ifndef RUNNER_PROOF_SWAP_H
#define RUNNER_PROOF_SWAP_H

#include "base/conninfo.h"
#include "base/db.h"
#include "base/err.h"
#include "base/json.h"
#include "runner/proof/counters.h"

struct swap_request {
	const struct conninfo *maintenance; /* two connections are opened there */
	const char *application;            /* their application_name */
	struct db *lock;                    /* the run's lock session: asked just before COMMIT */
	const char *live, *candidate, *quarantine; /* names */
	int64_t live_oid, candidate_oid;
	const json_t *facts;                /* database_facts() of the live database before any fence */
	const struct tuples *counted;       /* pg_stat_database of live_oid at the count; NULL: loss was accepted */
	const char *quarantine_comment;
};

struct swap_end {
	bool moved;   /* the counters are not what they were at the count: nothing was renamed, and one may count again */
	bool unknown; /* the connection was lost at COMMIT and the server could not be asked what became of it */
};

/*
 * None of our own sessions may be in either database.  Afterwards `live` names the candidate with the live
 * database's owner, ACL, settings, comment, limit; the former one is `quarantine` and takes no connections.
 * ERR_REFUSED: the OIDs are others, or somebody wrote since the count; nothing was renamed.  *end is filled always.
 */
MUST_CHECK bool swap_databases(const struct swap_request *request, struct swap_end *end, struct err *err);

#endif
