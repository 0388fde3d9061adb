/*
 * rehearse_run.h - `ripcord rehearse`: the next upgrade on the last backup, measured.
 */
#ifndef RUNNER_GUARD_REHEARSE_RUN_H
#define RUNNER_GUARD_REHEARSE_RUN_H

#include "base/err.h"
#include "base/json.h"
#include "runner/config.h"

struct rehearse_request {
	const char *target; /* in the grammar of upgrades, from where the backup stands */
	const char *backup; /* id or unique prefix; NULL: the newest verified one of this database and installation */
};

/*
 * Restores the backup into a scratch database (where [drill] url leads, else beside the live one), proves it, and runs the
 * upgrade there, a statement at a time.  The database is dropped again, also after a failure; what a kill has left is
 * dropped by the next one.  *out, the caller's, is what docs/json.md says; it is kept (rehearsals.h), also when a
 * revision fails: then its `failure` tells, and true is returned.
 * ERR_BACKUP: there is no backup, or it does not come back.  ERR_REFUSED: this server or role cannot restore it, or a
 * revision reaches beyond its database.  *out is NULL on false.
 */
MUST_CHECK bool rehearse_run(const struct config *config, const struct rehearse_request *request, json_t **out,
                             struct err *err);

#endif
