/*
 * upkeep.h - tells others how backups fare: a file for Prometheus's textfile collector, and a URL for a health check.
 *
 * Whoever takes, verifies, drills or prunes calls upkeep_tell() at its end, also when it has failed.  What the last ones
 * came to rests in STATE_DIR/upkeep/<database>.json, so that a failure leaves the times of the last successes in the
 * metrics.  That nobody could be told is a warning, never a failure of the work.
 *
 * Times are those of events, not ages: an age in a file that nobody writes any more would stand still.
 */
#ifndef RUNNER_UPKEEP_UPKEEP_H
#define RUNNER_UPKEEP_UPKEEP_H

#include "backup/backup.h"
#include "runner/config.h"

enum upkeep_work { UPKEEP_BACKUP, UPKEEP_VERIFY, UPKEEP_DRILL, UPKEEP_PRUNE };

struct upkeep_event {
	enum upkeep_work work;
	const struct err *failure;       /* NULL: it is done */
	const struct manifest *manifest; /* what was taken, verified, drilled; NULL */
	double seconds;                  /* that it took; below 0: not known */
	bool unchanged;                  /* there was nothing to do: a newer backup is there */
};

void upkeep_tell(const struct config *config, const struct upkeep_event *event);

/* What upkeep_tell() keeps, as text for Prometheus (text format 0.0.4); the caller's.  For tests. */
char *upkeep_metrics(const char *database, const json_t *state);

#endif
