/*
 * rehearse_limits.h - whether what was rehearsed keeps the limits that a run would be cut off by.
 */
#ifndef RUNNER_GUARD_REHEARSE_LIMITS_H
#define RUNNER_GUARD_REHEARSE_LIMITS_H

#include "base/json.h"
#include "migrations/migrations.h"
#include "runner/config.h"

/*
 * A list of {revision, limit, relation, statement, allowed_seconds, measured_seconds, estimated_seconds}: where the plan's
 * steps, as far as they were rehearsed as they are now, are over lock_hold or statement_timeout, of their section or of the
 * configuration.  `fenced`: nobody is there who could wait for a lock.  The caller's.
 */
json_t *rehearse_limits(const json_t *rehearsal, const struct plan *plan, const struct config *config, bool fenced);

/* "up2: lock_hold 10.0 s, estimated 1 min 20 s: ACCESS EXCLUSIVE on public.t": the caller's. */
char *rehearse_limit_text(const json_t *limit);

#endif
