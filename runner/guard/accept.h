/*
 * accept.h - when the pin of a run's backup is let go (design.md section 5).
 *
 * A run's backup is published pinned.  It stays so until the upgrade is accepted: by `ripcord accept`, by the
 * acceptance of a later one, or, for the outcome `upgraded` only, when accept_after has passed and neither a
 * quarantine nor an unfinished run is there.  A pin by hand is never let go here.
 */
#ifndef RUNNER_GUARD_ACCEPT_H
#define RUNNER_GUARD_ACCEPT_H

#include "backup/backup.h"
#include "runner/config.h"

/* `accept`: the upgrade stands; its backup and those of earlier runs on the same database are unpinned.  run NULL: the
 * newest upgraded one.  *out: {run, outcome, ..., accepted}. */
MUST_CHECK bool runs_accept(const struct config *config, const char *run, json_t **out, struct err *err);

/* What the state folder and the server say, asked once for many pins. */
struct pins {
	const struct config *config;
	struct strv runs; /* that the state folder knows */
	const char *hold; /* why no pin lapses by time just now; NULL: it may */
};
MUST_CHECK bool pins_read(const struct config *config, struct pins *out, struct err *err);
void pins_clear(struct pins *p);
#define cleanup_pins __attribute__((cleanup(pins_clear)))

/* Whether the pin with that reason has had its time; *why says so, or why not; the caller's. */
bool pins_lapsed(const struct pins *p, const char *reason, int64_t now_us, char **why);
/* Takes a lapsed pin off and notes it in the run's journal. */
MUST_CHECK bool pins_let_go(const struct pins *p, const struct stores *stores, const struct manifest *m, struct err *err);

#endif
